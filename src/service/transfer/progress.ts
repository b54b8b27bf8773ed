import { create } from '@bufbuild/protobuf'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { BlobEvent } from '../../remotes/progress.ts'
import { pack } from '../any.ts'
import { type Progress, ProgressSchema } from '../gen/containerd/types/transfer/progress_pb.ts'
import { descriptorMessage } from '../messages.ts'
import { orAborted } from '../or-aborted.ts'
import type { Call } from '../rpc.ts'
import type { Stream } from '../streams.ts'

/** Tells a client how a transfer goes. What is disposed has told everything, and ended the stream. */
export interface Reporter extends AsyncDisposable {
  /** A line, or what happens to the image `name`. */
  tell(event: string, name?: string, target?: Descriptor): void
  /** How one blob of the image `root` stands. */
  blob(root: string, event: BlobEvent): void
}

/** Between two reports of one blob, in milliseconds, as in containerd. */
const tick = 300

/** Words that clients know. */
const words: Readonly<Record<BlobEvent['type'], string>> = {
  waiting: 'waiting',
  downloading: 'downloading',
  uploading: 'uploading',
  complete: 'complete',
  exists: 'already exists',
}

/**
 * A reporter to a stream, or to nobody. Of a blob only the newest state waits, so that a client that does not read costs
 * no more than one state a blob.
 */
export function reportTo(stream: Stream | undefined, { signal }: Call): Reporter {
  const waiting = new Map<string, Progress>()
  const lastSent = new Map<string, number>()
  let lines = 0
  let sending: Promise<void> | undefined
  const drain = async (): Promise<void> => {
    for (let next = first(waiting); next !== undefined; next = first(waiting)) {
      const [key, progress] = next
      waiting.delete(key)
      lastSent.set(key, performance.now())
      if (!(await stream?.send(pack(ProgressSchema, progress)))) waiting.clear()
    }
    sending = undefined
  }
  const queue = (key: string, progress: Progress): void => {
    waiting.set(key, progress)
    sending ??= drain()
  }
  return {
    tell: (event, name = '', target) => {
      const desc = target && { desc: descriptorMessage(target) }
      if (stream !== undefined) queue(`line ${lines++}`, create(ProgressSchema, { event, name, ...desc }))
    },
    blob: (root, { type, ref, offset, total, target }) => {
      const key = `blob ${ref}`
      const early = performance.now() - (lastSent.get(key) ?? Number.NEGATIVE_INFINITY) < tick
      if (stream === undefined || ((type === 'downloading' || type === 'uploading') && early)) return
      const numbers = { progress: BigInt(offset), total: BigInt(total) }
      const desc = descriptorMessage({ ...target, annotations: {} })
      queue(key, create(ProgressSchema, { event: words[type], name: ref, parents: [root], ...numbers, desc }))
    },
    [Symbol.asyncDispose]: async () => {
      // Who has gone, or has cancelled the transfer, need not be told the rest.
      await orAborted(sending ?? Promise.resolve(), signal).catch(() => undefined)
      stream?.close()
    },
  }
}

const first = <K, V>(map: ReadonlyMap<K, V>): readonly [K, V] | undefined => {
  for (const entry of map) return entry
  return undefined
}
