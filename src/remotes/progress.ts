import type { Descriptor } from '../oci/descriptor.ts'

/** A name is being asked for, or was found. */
export type ResolveEvent =
  | { readonly type: 'resolving'; readonly reference: string }
  | { readonly type: 'resolved'; readonly reference: string; readonly target: Descriptor }

/**
 * Where one blob stands: `waiting` for its turn, `downloading` or `uploading`, `complete` (it came now), `exists` (it was
 * there).
 *
 * Byte counts are of this blob. `offset` is what is there; it falls back when bytes proved wrong, or were lost.
 */
export interface BlobEvent {
  readonly type: 'waiting' | 'downloading' | 'uploading' | 'complete' | 'exists'
  readonly target: Descriptor
  /** The ref of its ingest. */
  readonly ref: string
  readonly offset: number
  readonly total: number
  /** Bytes that really came, those dropped again among them. */
  readonly fetched: number
  /** Bytes that need not come, for they were there. */
  readonly reused: number
  /** The repository that a registry took a blob over from; it `exists` then. */
  readonly from?: string
}

/** A request failed and will be sent again after a wait. */
export interface RetryEvent {
  readonly type: 'retry'
  /** What is asked for: a reference, or a blob of a repository. */
  readonly what: string
  /** The attempt that failed, from 1. */
  readonly attempt: number
  /** Milliseconds until the next. */
  readonly delayMs: number
  readonly reason: string
}

/** Requests to a host begin to wait, for its limits or for ours; all that go there do. */
export interface ThrottleEvent {
  readonly type: 'throttled'
  /** As people call it: `docker.io`. */
  readonly host: string
  /** Milliseconds until the next request. */
  readonly delayMs: number
}

/** Everything that happens on the way of an image from one place to another. */
export type ProgressEvent = ResolveEvent | BlobEvent | RetryEvent | ThrottleEvent

/** Takes progress events. It must not throw. */
export type OnProgress = (event: ProgressEvent) => void

/** Sums over all blobs seen so far. */
export interface Totals {
  /** Blobs known of, and those of them that are done. */
  readonly blobs: number
  readonly done: number
  /** Bytes there will be, and are. */
  readonly total: number
  readonly offset: number
  readonly fetched: number
  readonly reused: number
  /** Bytes a second that came of late; 0 when nothing does. */
  readonly rate: number
}

/** How far back `rate` looks, in milliseconds. */
const windowMs = 5000

/** Adds up the events of one operation. */
export class ProgressTotals {
  readonly #now: () => number
  readonly #blobs = new Map<string, BlobEvent>()
  /** What had been fetched at some times within the window. */
  #samples: ReadonlyArray<{ readonly at: number; readonly fetched: number }> = []
  #fetched = 0

  /** @param options.now  milliseconds that only grow */
  constructor({ now = () => performance.now() }: { readonly now?: () => number } = {}) {
    this.#now = now
  }

  /** Takes an event; those that are not of blobs count for nothing. */
  add(event: ProgressEvent): void {
    if (!('ref' in event)) return
    const { digest, mediaType } = event.target
    const key = `${mediaType} ${digest}`
    const delta = event.fetched - (this.#blobs.get(key)?.fetched ?? 0)
    this.#blobs.set(key, event)
    this.#fetched += delta
    if (delta > 0) this.#sample()
  }

  /** The sums as they are now. */
  totals(): Totals {
    const blobs = [...this.#blobs.values()]
    const sum = (of: (event: BlobEvent) => number): number => blobs.reduce((all, event) => all + of(event), 0)
    return {
      blobs: blobs.length,
      done: blobs.filter(({ type }) => type === 'complete' || type === 'exists').length,
      total: sum(event => event.total),
      offset: sum(event => event.offset),
      fetched: this.#fetched,
      reused: sum(event => event.reused),
      rate: this.#rate(),
    }
  }

  /** The blobs in the order they were first seen, each as it stands. */
  blobs(): readonly BlobEvent[] {
    return [...this.#blobs.values()]
  }

  #sample(): void {
    const at = this.#now()
    const last = this.#samples.at(-1)
    const recent = this.#samples.filter(sample => sample.at > at - windowMs)
    // One sample a tenth of a second is enough, and keeps the list short.
    if (last && recent.length > 1 && at - (recent.at(-2)?.at ?? 0) < 100) recent.pop()
    this.#samples = [...recent, { at, fetched: this.#fetched }]
  }

  #rate(): number {
    const now = this.#now()
    const first = this.#samples.find(({ at }) => at > now - windowMs)
    if (!first || now <= first.at) return 0
    return ((this.#fetched - first.fetched) / (now - first.at)) * 1000
  }
}
