import type { FileHandle } from 'node:fs/promises'
import type { BufferSource } from './buffers.ts'
import type { Range } from './range.ts'
import type { ReadOptions } from './types.ts'

/** Bytes of one chunk that is given out. */
const chunkSize = 256 * 1024

/** A part of a file in chunks, each a buffer of its own, one read ahead of the reader. Ends early when the file does. */
export async function* readRange(
  file: FileHandle,
  { start, end }: Range,
  { signal, buffers = newMemory }: Pick<ReadOptions, 'signal' | 'buffers'> = {},
): AsyncGenerator<Uint8Array> {
  let next = readChunk(file, start, end, buffers)
  try {
    for (let at = start; at < end; ) {
      signal?.throwIfAborted()
      const chunk = await next
      if (chunk.byteLength === 0) return
      at += chunk.byteLength
      next = readChunk(file, at, end, buffers)
      yield chunk
    }
  } finally {
    // The file is closed after this: not while a read is under way.
    await next.catch(() => undefined)
  }
}

const newMemory: BufferSource = { take: length => Buffer.allocUnsafeSlow(length) }

function readChunk(file: FileHandle, start: number, end: number, buffers: BufferSource): Promise<Uint8Array> {
  const length = Math.min(chunkSize, end - start)
  if (length <= 0) return Promise.resolve(new Uint8Array(0))
  const reading = file.read(buffers.take(length), 0, length, start)
  const chunk = reading.then(({ buffer, bytesRead }) => buffer.subarray(0, bytesRead))
  // Whoever awaits it gets the error; until then it is not unhandled.
  chunk.catch(() => undefined)
  return chunk
}
