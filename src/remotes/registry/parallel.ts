import { rangeOf } from '../../content/range.ts'
import type { Target } from '../../content/types.ts'
import { OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import { type Open, type RangeOptions, readRanges } from './fetch.ts'

/** How one blob is read over several connections. */
export interface ParallelRanges {
  /** Requests for one blob at one time, at least 2. */
  readonly connections: number
  /** Bytes of one request; default 16 MiB. `connections` times as many are held in memory at most. */
  readonly chunkSize?: number | undefined
}

const defaultChunkSize = 16 * 1024 * 1024

/**
 * Checks what a caller asks for.
 *
 * @throws INVALID_ARGUMENT  fewer than 2 connections, or a chunk size that is none
 */
export function checkParallel({ connections, chunkSize = 1 }: ParallelRanges): void {
  for (const [name, value, least] of [
    ['connections', connections, 2],
    ['chunkSize', chunkSize, 1],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < least)
      throw new OrlopError('INVALID_ARGUMENT', `parallelRanges: ${name} ${value}: give ${least} or more`)
  }
}

/**
 * As `readRanges`, with several ranges on their way at one time; the bytes come in order all the same.
 *
 * The second request waits for the answer to the first one: a server that sends the whole blob where a range was asked
 * for is read as `readRanges` does it, over one connection. So are blobs of less than two chunks.
 */
export async function* readParallel(
  open: Open,
  target: Pick<Target, 'size'>,
  what: string,
  options: RangeOptions & ParallelRanges,
): AsyncGenerator<Uint8Array> {
  const { connections, chunkSize = defaultChunkSize } = options
  const { start, end } = rangeOf(target.size, options)
  let at = start
  if (end - start >= 2 * chunkSize) {
    const read = (offset: number, length: number, abort: AbortOptions): AsyncIterable<Uint8Array> =>
      readRanges(onlyRanges(open), target, what, { ...options, ...abort, offset, length })
    await using parts = new Parts(read, { start, end, chunkSize, connections }, options)
    try {
      for await (const chunk of parts) {
        at += chunk.byteLength
        yield chunk
      }
      return
    } catch (error) {
      if (!(error instanceof NoRanges)) throw error
    }
  }
  yield* readRanges(open, target, what, { ...options, offset: at, length: end - at })
}

/** Thrown when a server answers a range with the whole. */
class NoRanges extends Error {}

const onlyRanges =
  (open: Open): Open =>
  async (range, options) => {
    const response = await open(range, options)
    if (response.status !== 200 && !response.encoded) return response
    await response.body.dump()
    throw new NoRanges()
  }

type ReadPart = (offset: number, length: number, options: AbortOptions) => AsyncIterable<Uint8Array>

interface Plan {
  readonly connections: number
  readonly chunkSize: number
  readonly start: number
  readonly end: number
}

/** The parts of a blob: some on their way, given out in order. */
class Parts implements AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly #read: ReadPart
  readonly #plan: Plan
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #running: Part[] = []
  #next: number

  constructor(read: ReadPart, plan: Plan, { signal }: AbortOptions) {
    this.#read = read
    this.#plan = plan
    this.#next = plan.start
    this.#signal = signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    this.#start()
    await this.#running[0]?.begun
    for (let first = this.#running[0]; first; first = this.#running[0]) {
      if (!first.failed) this.#startOthers()
      yield* first.chunks()
      this.#running.shift()
      this.#startOthers()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running.map(({ ended }) => ended))
  }

  #startOthers(): void {
    while (this.#running.length < this.#plan.connections && this.#next < this.#plan.end) this.#start()
  }

  #start(): void {
    const length = Math.min(this.#plan.chunkSize, this.#plan.end - this.#next)
    this.#running.push(new Part(this.#read(this.#next, length, { signal: this.#signal })))
    this.#next += length
  }
}

/** One part on its way. It is held in memory until it is taken. */
class Part {
  /** Resolves when the first bytes came, or none will. */
  readonly begun: Promise<void>
  /** Resolves, and never rejects, when nothing is under way any more. */
  readonly ended: Promise<void>
  #chunks: Uint8Array[] = []
  #wake: () => void = () => {}
  #done = false
  #failure: unknown

  constructor(source: AsyncIterable<Uint8Array>) {
    this.begun = new Promise(resolve => {
      this.#wake = resolve
    })
    this.ended = this.#fill(source)
  }

  get failed(): boolean {
    return this.#failure !== undefined
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunks = this.#chunks
      this.#chunks = []
      yield* chunks
      if (this.#chunks.length > 0) continue
      if (this.#failure !== undefined) throw this.#failure
      if (this.#done) return
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  async #fill(source: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of source) {
        this.#chunks.push(chunk)
        this.#wake()
      }
    } catch (error) {
      this.#failure = error
    }
    this.#done = true
    this.#wake()
  }
}
