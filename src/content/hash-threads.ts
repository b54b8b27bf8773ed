import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Algorithm, Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { type HashAnswer, type HashRequest, hashProgram } from './hash-worker.ts'

/** Threads beyond this many would wait for memory and disks, not for cores. */
const maxThreads = 8

/** How long threads stay when there is nothing to hash, in milliseconds. */
const idleMs = 10_000

/** What was hashed, and how long it was. */
export interface FileDigest {
  readonly digest: Digest
  /** In bytes. */
  readonly size: number
}

/** `undefined` when the thread died. */
type Settle = (answer: HashAnswer | undefined) => void

/** One thread, and who waits for it. */
class HashThread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Settle>()

  constructor(onEnd: (thread: HashThread) => void) {
    this.#worker = new Worker(hashProgram(), {
      eval: true,
      name: 'orlop-hash',
      execArgv: [],
      env: {},
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    })
    this.#worker.unref()
    this.#worker.on('message', (answer: HashAnswer) => this.#settle(answer.id, answer))
    // Told of by `exit`, which follows.
    this.#worker.on('error', () => undefined)
    this.#worker.once('exit', () => {
      onEnd(this)
      for (const id of [...this.#waiting.keys()]) this.#settle(id, undefined)
    })
  }

  /** Files that it has to hash. */
  get load(): number {
    return this.#waiting.size
  }

  ask(request: HashRequest): Promise<HashAnswer | undefined> {
    return new Promise(resolve => {
      // It keeps the process alive for as long as somebody waits.
      if (this.#waiting.size === 0) this.#worker.ref()
      this.#waiting.set(request.id, resolve)
      this.#worker.postMessage(request)
    })
  }

  end(): void {
    void this.#worker.terminate()
  }

  #settle(id: number, answer: HashAnswer | undefined): void {
    const settle = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (this.#waiting.size === 0) this.#worker.unref()
    settle?.(answer)
  }
}

/**
 * Threads that hash files, as many as there are cores. They come with the first file, and end when there was none for a while.
 *
 * What is written is hashed by whoever writes it: that costs less than to hand the bytes, or their place, to another thread.
 */
class HashThreads {
  readonly #limit = Math.min(availableParallelism(), maxThreads)
  #threads: readonly HashThread[] = []
  #idle: NodeJS.Timeout | undefined
  #nextId = 1
  #isUnable = this.#limit < 2

  /** `undefined` where there are no threads, or the thread died. */
  async digest(fd: number, algorithm: Algorithm, { signal }: AbortOptions): Promise<FileDigest | undefined> {
    // What was aborted before it is listened to would not be heard of.
    signal?.throwIfAborted()
    const thread = this.#thread()
    if (thread === undefined) return undefined
    clearTimeout(this.#idle)
    const stop = new Int32Array(new SharedArrayBuffer(4))
    const onAbort = (): void => void Atomics.store(stop, 0, 1)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      // Not before it has let go of the file, aborted or not: the descriptor's number may be another file's then.
      const answer = await thread.ask({ id: this.#nextId++, fd, algorithm, stop: stop.buffer })
      signal?.throwIfAborted()
      if (answer?.failure)
        throw Object.assign(new Error(answer.failure.message), { code: answer.failure.code })
      if (answer?.hex === undefined) return undefined
      return { digest: `${algorithm}:${answer.hex}` as Digest, size: answer.size }
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#rest()
    }
  }

  #thread(): HashThread | undefined {
    const free = this.#threads.toSorted((a, b) => a.load - b.load)[0]
    return free?.load === 0 || this.#threads.length >= this.#limit ? free : (this.#start() ?? free)
  }

  #start(): HashThread | undefined {
    if (this.#isUnable) return undefined
    try {
      const thread = new HashThread(ended => {
        this.#threads = this.#threads.filter(other => other !== ended)
      })
      this.#threads = [...this.#threads, thread]
      return thread
    } catch {
      // Node's permissions forbid it, or the system has no more.
      this.#isUnable = true
      return undefined
    }
  }

  #rest(): void {
    clearTimeout(this.#idle)
    if (this.#threads.some(({ load }) => load > 0)) return
    this.#idle = setTimeout(() => {
      for (const thread of this.#threads) thread.end()
      this.#threads = []
    }, idleMs).unref()
  }
}

const threads = new HashThreads()

/**
 * Hashes an open file in another thread. The file must not be closed before this has settled.
 *
 * @returns undefined where there are no threads, for there is one core only, or they are not permitted
 * @throws an error of the file system, as it is
 */
export const digestInThread = (
  fd: number,
  algorithm: Algorithm,
  options: AbortOptions = {},
): Promise<FileDigest | undefined> => threads.digest(fd, algorithm, options)
