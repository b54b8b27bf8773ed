import type { FileHandle } from 'node:fs/promises'
import { type Algorithm, Digester } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { digestInThread, type FileDigest } from './hash-threads.ts'

/** Bytes from which on a file is worth another thread: two milliseconds. */
export const largeFrom = 4 * 1024 * 1024

/**
 * Hashes a file from its start to its end; a large one in another thread, so that several use all cores, and a server
 * answers meanwhile.
 */
export async function digestFile(
  file: FileHandle,
  algorithm: Algorithm,
  options: AbortOptions = {},
): Promise<FileDigest> {
  const { signal } = options
  signal?.throwIfAborted()
  const { size } = await file.stat()
  const elsewhere = size < largeFrom ? undefined : await digestInThread(file.fd, algorithm, options)
  if (elsewhere) return elsewhere
  const digester = new Digester(algorithm)
  const read = await hashFile(file, digester, options)
  return { digest: digester.digest(), size: read }
}

const hashChunk = 1024 * 1024

/** Hashes a file here, from its start to its end, one chunk ahead; gives the number of bytes. */
export async function hashFile(
  file: FileHandle,
  digester: Digester,
  { signal }: AbortOptions = {},
): Promise<number> {
  const { size } = await file.stat()
  const chunk = Math.max(1, Math.min(size, hashChunk))
  const buffers = [Buffer.allocUnsafeSlow(chunk), Buffer.allocUnsafeSlow(chunk)] as const
  let offset = 0
  let reading = file.read(buffers[0], 0, chunk, 0)
  for (let turn = 1; ; turn = 1 - turn) {
    const { bytesRead, buffer } = await reading
    if (signal?.aborted) throw signal.reason
    if (bytesRead === 0) return offset
    offset += bytesRead
    reading = file.read(buffers[turn === 1 ? 1 : 0], 0, chunk, offset)
    // Awaited in the next round; hashing cannot throw in between.
    digester.update(buffer.subarray(0, bytesRead))
  }
}
