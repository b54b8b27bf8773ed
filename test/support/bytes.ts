import { createHash } from 'node:crypto'
import type { Provider, ReadOptions, Target } from '../../src/content/types.ts'
import { type Algorithm, digestOf } from '../../src/oci/digest.ts'

/** `size` bytes that look random and are the same for the same seed. */
export function randomBytes(seed: string | number, size: number): Buffer {
  const bytes = Buffer.alloc(size)
  let block = createHash('sha256').update(`seed ${seed}`).digest()
  for (let at = 0; at < size; at += block.byteLength) {
    bytes.set(block.subarray(0, Math.min(block.byteLength, size - at)), at)
    block = createHash('sha256').update(block).digest()
  }
  return bytes
}

/** The target of bytes in memory. */
export const targetOf = (bytes: Uint8Array, algorithm: Algorithm = 'sha256'): Target => ({
  digest: digestOf(bytes, algorithm),
  size: bytes.byteLength,
  mediaType: 'application/octet-stream',
})

/** All bytes of a stream. */
export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** All items of a listing. */
export async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

/** A provider of one blob, in chunks, that remembers the offsets it was read from. */
export function providerOf(bytes: Uint8Array, chunkSize = 1000): Provider & { readonly reads: number[] } {
  const reads: number[] = []
  return {
    reads,
    async *read(_target: Target, { offset = 0, length = Number.POSITIVE_INFINITY }: ReadOptions = {}) {
      reads.push(offset)
      const end = Math.min(bytes.byteLength, offset + length)
      for (let at = offset; at < end; at += chunkSize) yield bytes.subarray(at, Math.min(end, at + chunkSize))
    },
  }
}
