/** A file that a thread is to hash, from its start to its end. */
export interface HashRequest {
  readonly id: number
  readonly fd: number
  readonly algorithm: string
  /** One `Int32`: not 0 when nobody waits any more. */
  readonly stop: SharedArrayBuffer
}

/** What it has found. Without `hex` it could not read on, or was stopped. */
export interface HashAnswer {
  readonly id: number
  readonly hex?: string
  /** Bytes that were hashed. */
  readonly size: number
  readonly failure?: { readonly code?: string | undefined; readonly message: string }
}

/**
 * All that such a thread does, as the text of a program: so it needs no file of its own, which a bundler would have to know
 * of. For the same reason nothing from outside the function may be used in it but types.
 */
export const hashProgram = (): string => `(${run})()`

function run(): void {
  const { parentPort } = process.getBuiltinModule('node:worker_threads')
  const { readSync } = process.getBuiltinModule('node:fs')
  const { createHash } = process.getBuiltinModule('node:crypto')
  const buffer = Buffer.allocUnsafeSlow(256 * 1024)

  const answerTo = ({ id, fd, algorithm, stop }: HashRequest): HashAnswer => {
    const stopped = new Int32Array(stop)
    const hash = createHash(algorithm)
    let size = 0
    try {
      while (Atomics.load(stopped, 0) === 0) {
        const length = readSync(fd, buffer, 0, buffer.length, size)
        if (length === 0) return { id, size, hex: hash.digest('hex') }
        hash.update(buffer.subarray(0, length))
        size += length
      }
      return { id, size }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      return { id, size, failure: { code, message } }
    }
  }

  parentPort?.on('message', (request: HashRequest) => parentPort.postMessage(answerTo(request)))
}
