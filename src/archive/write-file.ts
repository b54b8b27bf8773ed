import { randomBytes } from 'node:crypto'
import fs, { type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { syncDirectory } from '../content/fs-durable.ts'
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
  let batch: Uint8Array[] = []
  let length = 0
  let writing: Promise<void> = Promise.resolve()
  const flush = async (): Promise<void> => {
    await writing
    writing = writeBatch(handle, batch)
    // Whoever awaits it gets the error; until then it is not unhandled.
    writing.catch(() => undefined)
    batch = []
    length = 0
  }
  try {
    for await (const chunk of chunks) {
      signal?.throwIfAborted()
      batch.push(chunk)
      length += chunk.byteLength
      if (length >= batchSize) await flush()
    }
    await flush()
    await writing
  } finally {
    // The file is closed after this: not while a write is under way.
    await writing.catch(() => undefined)
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
