import { randomBytes } from 'node:crypto'
import fs, { type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf, syncDirectory } from '../content/fs-durable.ts'
import { fromErrno } from '../errors.ts'
import type { AbortOptions } from '../options.ts'

/** Bytes of one write, at least, while more are coming. */
const batchSize = 1024 * 1024

/**
 * Writes a file whole or not at all, durably: until the last byte is on the disk, what was there before stays. Where the
 * path leads to something that is no regular file, as a pipe or a device, it is written into.
 *
 * @throws NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED  as the file system says
 */
export async function writeWholeFile(
  file: string,
  chunks: AsyncIterable<Uint8Array>,
  { signal }: AbortOptions = {},
): Promise<void> {
  try {
    if (await isSpecial(file)) {
      await using handle = await fs.open(file, 'w')
      await writeAll(handle, chunks, { signal })
    } else await replace(await realPath(file), chunks, { signal })
  } catch (error) {
    throw fromErrno(error, `file ${file}`)
  }
}

async function isSpecial(file: string): Promise<boolean> {
  const stats = await fs.stat(file).catch(() => undefined)
  return stats !== undefined && !stats.isFile()
}

/** A link stays one: its target is replaced. */
const realPath = (file: string): Promise<string> => fs.realpath(file).catch(() => file)

async function replace(
  file: string,
  chunks: AsyncIterable<Uint8Array>,
  options: AbortOptions,
): Promise<void> {
  const next = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    {
      await using handle = await fs.open(next, 'wx')
      await writeAll(handle, chunks, options)
      await handle.sync()
    }
    await fs.rename(next, file)
  } catch (error) {
    await fs.rm(next, { force: true }).catch(() => undefined)
    throw error
  }
  await syncDirectory(path.dirname(file))
}

/** Small chunks become one write, and the next ones are made while it is under way. Chunks must stay as they are given. */
async function writeAll(
  handle: FileHandle,
  chunks: AsyncIterable<Uint8Array>,
  { signal }: AbortOptions,
): Promise<void> {
  const file = new BatchWriter(handle)
  try {
    for await (const chunk of chunks) {
      signal?.throwIfAborted()
      await file.write(chunk)
    }
    await file.flush()
  } finally {
    // The file is closed after this: not while something is under way.
    await file.idle()
  }
}

/** Bytes that are written before the disk is told to take them, while more are coming: the last sync is short then. */
const syncSize = 64 * 1024 * 1024

class BatchWriter {
  readonly #handle: FileHandle
  #batch: Uint8Array[] = []
  #length = 0
  #unsynced = 0
  /** These two never reject: a failure waits for the next call. */
  #writing: Promise<void> = Promise.resolve()
  #syncing: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#batch.push(chunk)
    this.#length += chunk.byteLength
    if (this.#length >= batchSize) await this.#start()
  }

  async flush(): Promise<void> {
    await this.#start()
    await this.idle()
    this.#check()
  }

  async idle(): Promise<void> {
    await this.#writing
    await this.#syncing
  }

  async #start(): Promise<void> {
    await this.#writing
    this.#check()
    const batch = this.#batch
    this.#unsynced += this.#length
    this.#batch = []
    this.#length = 0
    if (this.#unsynced >= syncSize && this.#syncing === undefined) this.#startSync()
    this.#writing = writeBatch(this.#handle, batch).catch(error => this.#fail(error))
  }

  #startSync(): void {
    this.#unsynced = 0
    this.#syncing = this.#handle
      .datasync()
      // A pipe or a device has nothing to sync.
      .catch(error => (errnoOf(error) === 'EINVAL' ? undefined : this.#fail(error)))
      .finally(() => {
        this.#syncing = undefined
      })
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}

async function writeBatch(handle: FileHandle, batch: readonly Uint8Array[]): Promise<void> {
  for (let left = batch.filter(({ byteLength }) => byteLength > 0); left.length > 0; ) {
    let { bytesWritten } = await handle.writev(left)
    while (left[0] !== undefined && bytesWritten >= left[0].byteLength) {
      bytesWritten -= left[0].byteLength
      left = left.slice(1)
    }
    const [first, ...rest] = left
    if (first !== undefined) left = [first.subarray(bytesWritten), ...rest]
  }
}
