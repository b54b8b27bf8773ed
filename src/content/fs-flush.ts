import type { FileHandle } from 'node:fs/promises'

/** Bytes that are written before they are sent to the disk. */
const interval = 16 * 1024 * 1024

/** At most one in a process: each takes a thread of Node's four, and others want to write. */
let busy = false

/**
 * Sends a growing file to the disk while more is being written, so that the sync at its end finds little left to do.
 *
 * The kernel would keep it all in memory until then, and disk and network would work in turn, not at once. A sync that fails
 * here must not be passed over: Linux tells of a failed write once, and the next sync succeeds without it.
 */
export class Flusher {
  readonly #file: Pick<FileHandle, 'datasync'>
  #unsynced = 0
  #running: Promise<void> | undefined
  #failure: unknown

  constructor(file: Pick<FileHandle, 'datasync'>) {
    this.#file = file
  }

  /** Tells of bytes that were written. */
  wrote(bytes: number): void {
    this.#unsynced += bytes
    if (this.#unsynced < interval || busy || this.#running) return
    this.#unsynced = 0
    busy = true
    this.#running = this.#sync()
  }

  /** Waits for what is under way. @throws the first failure, each time */
  async settle(): Promise<void> {
    await this.#running
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Forgets a failure: the file was emptied. */
  async reset(): Promise<void> {
    await this.#running
    this.#failure = undefined
    this.#unsynced = 0
  }

  async #sync(): Promise<void> {
    try {
      await this.#file.datasync()
    } catch (error) {
      this.#failure ??= error
    } finally {
      busy = false
      this.#running = undefined
    }
  }
}
