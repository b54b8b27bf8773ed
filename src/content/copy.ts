import { hasCode, isAlreadyExists, OrlopError } from '../errors.ts'
import { type Descriptor, embeddedData } from '../oci/descriptor.ts'
import { algorithmOf } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { isFileProvider, isTaker } from './fs-share.ts'
import { isInterruption } from './interrupted.ts'
import { isIngestManager, openWriter } from './open-writer.ts'
import { refKey } from './ref-key.ts'
import type { Ingester, Labels, Manager, Provider, Target, Writer, WriterInit } from './types.ts'

/** What happened to a blob that is being copied. */
export interface CopyEvent {
  /**
   * `started` or `resumed` (at `offset`), `copied` (some bytes more), `dropped` (all that was there proved wrong), then
   * `committed`, or `exists` when the blob was there.
   */
  readonly type: 'started' | 'resumed' | 'copied' | 'dropped' | 'committed' | 'exists'
  readonly target: Target
  readonly ref: string
  /** Bytes that are there now. */
  readonly offset: number
}

/** Options of `copyBlob`. */
export interface CopyBlobOptions extends AbortOptions {
  /** Default: `refKey(target)`. */
  readonly ref?: string | undefined
  /** Labels of the blob; merged into those there when the blob is there already. */
  readonly labels?: Labels | undefined
  /** Told of every step. The sum of `bytesDelta` is what is there; it is negative when bytes were dropped. */
  readonly onProgress?: ((bytesDelta: number, event: CopyEvent) => void) | undefined
}

/** A target, and the annotations that may name its ref. */
export type CopyTarget = Target & Pick<Descriptor, 'annotations'>

/**
 * Copies one blob: goes on where an earlier attempt stopped, and takes a blob that is there for done.
 *
 * Bytes that prove wrong are dropped before the error is thrown, so that they never wait to be resumed; when they came in
 * part from an earlier attempt, the whole is fetched once more. After an abort, or a source that breaks off, what came
 * is kept for the next attempt.
 *
 * @throws DATA_LOSS  the source's bytes are not what the target says, or more, or fewer
 */
export async function copyBlob(
  from: Provider,
  to: Ingester,
  target: CopyTarget,
  options: CopyBlobOptions = {},
): Promise<void> {
  const { ref = refKey(target), labels, signal } = options
  const { digest, size, mediaType } = target
  const copy = new BlobCopy(
    { from, to, target, init: { ref, expected: { digest, size, mediaType } } },
    options,
  )
  try {
    await copy.run()
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    copy.tell('exists', size)
    if (labels !== undefined) await mergeLabels(to, target, labels, { signal })
  }
}

const isManager = (to: Ingester): to is Ingester & Manager => 'update' in to && 'info' in to

async function mergeLabels(
  to: Ingester,
  target: Target,
  labels: Labels,
  options: AbortOptions,
): Promise<void> {
  if (!isManager(to) || Object.keys(labels).length === 0) return
  // A pull of what is all here then changes no record, each of which would be synced.
  const known = (await to.info(target.digest, options)).labels
  const has = (key: string): string => (Object.hasOwn(known, key) ? (known[key] ?? '') : '')
  if (Object.entries(labels).every(([key, value]) => has(key) === value)) return
  try {
    await to.update(target.digest, { labels }, options)
  } catch (error) {
    // A store that keeps none would have dropped them at commit too.
    if (!hasCode(error, 'FAILED_PRECONDITION')) throw error
  }
}

interface Parts {
  readonly from: Provider
  readonly to: Ingester
  readonly target: CopyTarget
  readonly init: WriterInit
}

/** Bytes below which to write a blob costs no more than to share it. */
const smallestShared = 4096

/** Interruptions that one blob bears; each is the end of a process. */
const maxInterruptions = 50

/** How an attempt ended: why its bytes are wrong, if they are, and whether some were there before it. */
interface Outcome {
  readonly wrong?: string | undefined
  readonly resumed: boolean
}

/** One copy: its attempts, and what it has told of them. */
class BlobCopy {
  readonly #parts: Parts
  readonly #options: CopyBlobOptions
  #told = 0

  constructor(parts: Parts, options: CopyBlobOptions) {
    this.#parts = parts
    this.#options = options
  }

  tell(type: CopyEvent['type'], offset: number): void {
    const { target, init } = this.#parts
    const delta = offset - this.#told
    this.#told = offset
    this.#options.onProgress?.(delta, { type, target, ref: init.ref, offset })
  }

  async run(): Promise<void> {
    await this.#share()
    let { wrong, resumed } = await this.#settled()
    // The wrong ones may be those of the attempt before; once more, from nothing.
    if (wrong !== undefined && resumed) wrong = (await this.#settled()).wrong
    if (wrong !== undefined) {
      throw new OrlopError('DATA_LOSS', `content ${this.#parts.target.digest}: ${wrong}`)
    }
  }

  /** Lets the store take over the source's file, where both are such; the attempt then finds the bytes there. */
  async #share(): Promise<void> {
    const { from, to, target } = this.#parts
    const { signal } = this.#options
    if (!isFileProvider(from) || !isTaker(to)) return
    if (target.size < smallestShared || target.data !== undefined) return
    const file = await from.file(target, { signal })
    if (file !== undefined) await to.takeFile(file, target, { signal })
  }

  /** An attempt; another one goes on when the process that held the store ended beneath it. */
  async #settled(): Promise<Outcome> {
    for (let left = maxInterruptions; ; left--) {
      try {
        return await this.#attempt()
      } catch (error) {
        if (!isInterruption(error) || left === 0) throw error
      }
    }
  }

  async #attempt(): Promise<Outcome> {
    const { to, init } = this.#parts
    await using writer = await openWriter(to, init, { signal: this.#options.signal })
    const resumed = writer.offset > 0
    this.tell(resumed ? 'resumed' : 'started', writer.offset)
    const wrong = await this.#fill(writer)
    if (wrong === undefined) return { wrong: await this.#commit(writer), resumed }
    await writer.reset()
    this.tell('dropped', 0)
    return { wrong, resumed }
  }

  /** Brings the writer to all bytes of the target; says what is wrong with them. */
  async #fill(writer: Writer): Promise<string | undefined> {
    const { digest, size } = this.#parts.target
    const { signal } = this.#options
    if (writer.offset > size) return `${writer.offset} bytes were there, of ${size}`
    for await (const chunk of this.#rest(writer.offset)) {
      signal?.throwIfAborted()
      if (writer.offset + chunk.byteLength > size) return `longer than its ${size} bytes`
      await writer.write(chunk, { signal })
      this.tell('copied', writer.offset)
    }
    signal?.throwIfAborted()
    if (writer.offset < size) {
      throw new OrlopError('DATA_LOSS', `content ${digest}: ended after ${writer.offset} of ${size} bytes`)
    }
    const actual = writer.digest
    // A store may hash in an algorithm of its own; then its commit tells.
    const wrong = algorithmOf(actual) === algorithmOf(digest) && actual !== digest
    return wrong ? `its bytes are those of ${actual}` : undefined
  }

  #rest(offset: number): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
    const { from, target } = this.#parts
    if (offset === target.size) return []
    const embedded = embeddedData(target)
    if (embedded !== undefined) return [embedded.subarray(offset)]
    return from.read(target, { offset, signal: this.#options.signal })
  }

  async #commit(writer: Writer): Promise<string | undefined> {
    const { to, target, init } = this.#parts
    const { digest, size } = target
    const { labels, signal } = this.#options
    try {
      await writer.commit({ size, digest, labels, signal })
    } catch (error) {
      if (!hasCode(error, 'FAILED_PRECONDITION') || !isIngestManager(to)) throw error
      // Refused: the store has closed the writer and kept the bytes.
      await using again = await openWriter(to, init, { signal })
      await again.reset()
      this.tell('dropped', 0)
      return error instanceof Error ? error.message : String(error)
    }
    this.tell('committed', size)
    return undefined
  }
}
