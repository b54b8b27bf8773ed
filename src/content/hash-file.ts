import type { FileHandle } from 'node:fs/promises'
import { type Algorithm, Digester } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { byTurns } from './by-turns.ts'
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
  const read = await hashThrough(file, size, digester, options)
  return { digest: digester.digest(), size: read }
}

const hashChunk = 1024 * 1024

/** Hashes a file here, from its start to its end, one chunk ahead; gives the number of bytes. */
export async function hashFile(
  file: FileHandle,
  digester: Digester,
  options: AbortOptions = {},
): Promise<number> {
  const { size } = await file.stat()
  return hashThrough(file, size, digester, options)
}

/** @param expected  bytes that it may have, so that a small one needs small buffers */
async function hashThrough(
  file: FileHandle,
  expected: number,
  digester: Digester,
  options: AbortOptions,
): Promise<number> {
  const chunk = Math.max(1, Math.min(expected, hashChunk))
  let size = 0
  for await (const bytes of byTurns((buffer, at) => file.read(buffer, 0, chunk, at), chunk, options)) {
    digester.update(bytes)
    size += bytes.byteLength
  }
  return size
}
