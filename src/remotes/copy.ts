import { type CopyEvent, copyBlob } from '../content/copy.ts'
import { refKey } from '../content/ref-key.ts'
import type { Ingester, Labels, Provider } from '../content/types.ts'
import { dispatch, type Lanes } from '../handlers/dispatch.ts'
import type { Handler } from '../handlers/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { AbortOptions } from '../options.ts'
import type { BlobEvent, OnProgress } from './progress.ts'

/** Options of `copyGraph`. */
export interface CopyGraphOptions extends AbortOptions {
  /** Blobs and manifests on their way at one time; default 3, and 8 of at most 64 KiB. */
  readonly concurrency?: number | undefined
  /** The labels of each blob; written with it, or merged into those it has. */
  readonly labels?: ((desc: Descriptor, options: AbortOptions) => Promise<Labels>) | undefined
  readonly onProgress?: OnProgress | undefined
  /** What progress calls a blob that moves; default `downloading`. */
  readonly moving?: 'downloading' | 'uploading' | undefined
}

/**
 * A few large blobs fill the line, and more would each take memory; a small one costs round trips and hardly a byte, so more
 * of those go at one time, and share the syncs of their store.
 */
const lanes: Lanes<Descriptor> = { places: [3, 8], of: ({ size }) => (size > 64 * 1024 ? 0 : 1) }

/**
 * Copies all that `handler` finds below `root`, and then `root`: leaves first.
 *
 * So a manifest arrives only after all it names, and there is never one whose parts are missing. That a parent is there
 * already is not taken as a sign that its children are; each is asked for. Pass a `cached` source, or each manifest is
 * read twice.
 *
 * @throws the first failure; what was copied before it stays
 */
export async function copyGraph(
  from: Provider,
  to: Ingester,
  root: Descriptor,
  handler: Handler,
  { concurrency, labels, onProgress, moving, signal }: CopyGraphOptions = {},
): Promise<void> {
  const board = new ProgressBoard(onProgress, moving)
  const copy = async (desc: Descriptor, options: AbortOptions): Promise<void> =>
    copyBlob(from, to, desc, {
      ...options,
      ref: refKey(desc),
      labels: await labels?.(desc, options),
      onProgress: (_, event) => board.tell(desc, event),
    })
  const announced: Handler = async (desc, options) => {
    const children = await handler(desc, options)
    for (const child of children) board.announce(child)
    return children
  }
  board.announce(root)
  await dispatch(announced, copy, [root], {
    ...(concurrency === undefined ? { lanes } : { concurrency }),
    order: 'post',
    signal,
  })
}

/** Turns what happens to blobs into progress events, and remembers how each one stands. */
export class ProgressBoard {
  readonly #tell: OnProgress | undefined
  readonly #moving: 'downloading' | 'uploading'
  readonly #events = new Map<string, BlobEvent>()

  constructor(tell: OnProgress | undefined, moving: CopyGraphOptions['moving'] = 'downloading') {
    this.#tell = tell
    this.#moving = moving
  }

  /** A blob that will be copied. */
  announce(target: Descriptor): void {
    if (this.#events.has(keyOf(target))) return
    const { size: total } = target
    this.#put({ type: 'waiting', target, ref: refKey(target), offset: 0, total, fetched: 0, reused: 0 })
  }

  /** What happened to one. */
  tell(target: Descriptor, { type, ref, offset }: Omit<CopyEvent, 'target'>): void {
    const { size: total } = target
    const { fetched = 0, reused = 0, offset: before = 0 } = this.#events.get(keyOf(target)) ?? {}
    const base = { target, ref, offset, total, fetched, reused }
    // Fetched, and then found to be there: somebody else was faster, or its record had lost its bytes.
    if (type === 'exists') this.#put({ ...base, type: 'exists', reused: fetched > 0 ? reused : total })
    else if (type === 'committed') this.#put({ ...base, type: 'complete' })
    else if (type === 'copied') this.#put({ ...base, type: this.#moving, fetched: fetched + offset - before })
    else this.#put({ ...base, type: this.#moving, reused: offset })
  }

  #put(event: BlobEvent): void {
    this.#events.set(keyOf(event.target), event)
    this.#tell?.(event)
  }
}

const keyOf = ({ mediaType, digest }: Descriptor): string => `${mediaType} ${digest}`
