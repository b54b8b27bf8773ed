import { rangeOf } from '../../content/range.ts'
import type { ReadOptions } from '../../content/types.ts'
import type { AbortOptions } from '../../options.ts'
import { abortable } from './abortable.ts'

/** How blobs are shared by those who read them at the same time. */
export interface SharedReadsOptions {
  /** Bytes of one blob that are held for those who lag behind, or come a little later; default 4 MiB. */
  readonly windowBytes?: number | undefined
  /** How long the others wait for one who takes nothing, in milliseconds; default 1000. */
  readonly patienceMs?: number | undefined
}

/** Opens a blob, or the part that is asked for. */
export type OpenBlob = (options: ReadOptions) => AsyncIterable<Uint8Array>

/**
 * Lets all who read the same blob at the same time share one download.
 *
 * Who copies into one store needs none of this: there the second copy waits for the ingest of the first. This is for the
 * others: two stores, two namespaces, no store at all. The slowest reader sets the pace, so that memory stays bounded,
 * and none waits for one that takes nothing: that one goes on by a request of its own, at its byte. So does one who comes
 * too late to find the first bytes.
 */
export class SharedReads {
  readonly #windowBytes: number
  readonly #patienceMs: number
  readonly #flights = new Map<string, Flight>()

  constructor({ windowBytes = 4 * 1024 * 1024, patienceMs = 1000 }: SharedReadsOptions = {}) {
    this.#windowBytes = windowBytes
    this.#patienceMs = patienceMs
  }

  /**
   * The bytes of a blob, or a part of them, as `open` gives them.
   *
   * @param key  what is one blob to all
   */
  async *read(key: string, size: number, options: ReadOptions, open: OpenBlob): AsyncGenerator<Uint8Array> {
    let { start: at, end } = rangeOf(size, options)
    // Parts of a blob are small or odd, and nobody else wants the same.
    if (at < end && end === size) {
      const flight = this.#flight(key, at, size, open)
      const reader = flight.join(at)
      try {
        for (
          let chunk = await flight.next(reader, options);
          chunk;
          chunk = await flight.next(reader, options)
        ) {
          at += chunk.byteLength
          yield chunk
        }
        if (!reader.detached) return
      } finally {
        await flight.leave(reader)
      }
    }
    if (at < end) yield* open({ ...options, offset: at, length: end - at })
  }

  #flight(key: string, at: number, size: number, open: OpenBlob): Flight {
    const known = this.#flights.get(key)
    if (known?.has(at)) return known
    const source = (signal: AbortSignal): AsyncIterable<Uint8Array> =>
      open({ offset: at, length: size - at, signal })
    const over = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    }
    const flight = new Flight(source, {
      at,
      windowBytes: this.#windowBytes,
      patienceMs: this.#patienceMs,
      over,
    })
    this.#flights.set(key, flight)
    return flight
  }
}

/** One who reads along. */
interface Reader {
  at: number
  /** True once it has to go on by itself. */
  detached: boolean
}

interface FlightOptions {
  readonly windowBytes: number
  readonly patienceMs: number
  /** Where it begins. */
  readonly at: number
  /** Called when nobody can join any more. */
  readonly over: () => void
}

/** One download, and those who read along. */
class Flight {
  readonly #options: FlightOptions
  readonly #source: AsyncIterator<Uint8Array>
  readonly #stop = new AbortController()
  readonly #readers = new Set<Reader>()
  /** What is held, in order; the first begins at `#tail`, the last ends at `#head`. */
  readonly #chunks: Uint8Array[] = []
  #tail: number
  #head: number
  #pulling = false
  #end: { readonly failure?: unknown } | undefined
  #waiting: (() => void)[] = []
  #patience: NodeJS.Timeout | undefined

  constructor(open: (signal: AbortSignal) => AsyncIterable<Uint8Array>, options: FlightOptions) {
    this.#options = options
    this.#source = open(this.#stop.signal)[Symbol.asyncIterator]()
    this.#tail = this.#head = options.at
  }

  /** True while the bytes from `at` on are held, or to come. */
  has(at: number): boolean {
    return this.#tail <= at && at <= this.#head && !this.#end
  }

  join(at: number): Reader {
    const reader = { at, detached: false }
    this.#readers.add(reader)
    return reader
  }

  /** The last one who leaves ends the download. */
  async leave(reader: Reader): Promise<void> {
    this.#readers.delete(reader)
    this.#moved()
    if (this.#readers.size > 0) return
    this.#options.over()
    this.#stop.abort()
    // Whatever happens there, nobody is left who would hear of it.
    await this.#source.return?.().catch(() => {})
  }

  /** The next bytes for a reader; `undefined` when there are none, or it is detached. */
  async next(reader: Reader, { signal }: AbortOptions): Promise<Uint8Array | undefined> {
    for (;;) {
      signal?.throwIfAborted()
      if (reader.detached) return undefined
      if (reader.at < this.#head) return this.#give(reader)
      if (this.#end) {
        if ('failure' in this.#end) throw this.#end.failure
        return undefined
      }
      if (this.#head - this.#slowest() < this.#options.windowBytes) this.#pull()
      else this.#wait()
      await abortable(new Promise<void>(resolve => this.#waiting.push(resolve)), signal)
    }
  }

  /** A copy where another may want the same bytes: what is given out is the reader's to change. */
  #give(reader: Reader): Uint8Array {
    let skip = reader.at - this.#tail
    const chunk = this.#chunks.find(({ byteLength }) => {
      if (skip < byteLength) return true
      skip -= byteLength
      return false
    })
    const part = (chunk ?? new Uint8Array()).subarray(skip)
    reader.at += part.byteLength
    const mine = this.#readers.size === 1 && !this.#isBeginning()
    this.#moved()
    return mine ? part : new Uint8Array(part)
  }

  /** At first everything is held, so that who comes a little later finds the first bytes. */
  #isBeginning(): boolean {
    return this.#head - this.#options.at <= this.#options.windowBytes
  }

  /** Lets go of what all have, and wakes who waited for that. */
  #moved(): void {
    const slowest = this.#slowest()
    while (
      !this.#isBeginning() &&
      this.#tail + (this.#chunks[0]?.byteLength ?? Number.POSITIVE_INFINITY) <= slowest
    ) {
      this.#tail += this.#chunks.shift()?.byteLength ?? 0
    }
    clearTimeout(this.#patience)
    this.#patience = undefined
    this.#wake()
  }

  #slowest(): number {
    let slowest = this.#head
    for (const { at } of this.#readers) slowest = Math.min(slowest, at)
    return slowest
  }

  /** Those who lag behind are waited for, but not when they do not move at all. */
  #wait(): void {
    this.#patience ??= setTimeout(() => {
      const slowest = this.#slowest()
      for (const reader of this.#readers) if (reader.at === slowest) this.#detach(reader)
      this.#moved()
    }, this.#options.patienceMs)
  }

  #detach(reader: Reader): void {
    reader.detached = true
    this.#readers.delete(reader)
  }

  #pull(): void {
    if (this.#pulling) return
    this.#pulling = true
    this.#source.next().then(
      ({ done, value }) => {
        this.#pulling = false
        if (done) this.#finish({})
        else this.#take(value)
      },
      (failure: unknown) => this.#finish({ failure }),
    )
  }

  #take(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#head += chunk.byteLength
    this.#wake()
  }

  #finish(end: { readonly failure?: unknown }): void {
    this.#end = end
    this.#options.over()
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
