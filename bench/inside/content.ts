import { randomBytes } from 'node:crypto'
import process from 'node:process'
import type { ContentStore } from '../../src/content/types.ts'
import { type Digest, Digester, digestOf } from '../../src/oci/digest.ts'
import { remoteStore } from '../../src/service/client/store.ts'
import { inProcess } from '../lib/measure.ts'

/**
 * Blobs through a socket, by the same client for every service, and what that took as JSON:
 *
 *     node dist/bench/inside/content.js <socket> write|read <bytes>
 *     node dist/bench/inside/content.js <socket> small <count>
 *
 * `small` writes blobs of 30 bytes, 16 at a time. What was written is deleted at the end.
 */
async function main([address = '', what = '', amount = '']: readonly string[]): Promise<void> {
  await using store = remoteStore(address)
  const { content } = store.scope('default')
  const result =
    what === 'small' ? await small(content, Number(amount)) : await large(content, what, Number(amount))
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

async function large(content: ContentStore, what: string, size: number) {
  // The same few over and over: what this process has in memory is to be the client's, and not the blob.
  const few = Array.from({ length: 8 }, () => randomBytes(chunkBytes))
  const chunks = Array.from({ length: Math.ceil(size / chunkBytes) }, (_, at) => few[at % few.length] ?? none)
  const digester = new Digester()
  for (const chunk of chunks) digester.update(chunk)
  const digest = digester.digest()
  const total = chunks.length * chunkBytes
  const write = async () => {
    await using writer = await content.writer({ ref: digest, expected: { digest, size: total } })
    for (const chunk of chunks) await writer.write(chunk)
    await writer.commit({ digest, size: total, labels: root })
    return total
  }
  const read = async () => {
    let bytes = 0
    for await (const chunk of content.read({ digest, size: total, mediaType: '' })) bytes += chunk.byteLength
    return bytes
  }
  if (what === 'read') await write()
  const result = await inProcess(what === 'read' ? read : write)
  await content.delete(digest)
  return { ...result, count: undefined }
}

async function small(content: ContentStore, count: number) {
  const blobs = Array.from({ length: count }, () => randomBytes(30))
  const digests: Digest[] = blobs.map(bytes => digestOf(bytes))
  let next = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) {
      const [bytes, digest] = [blobs[at], digests[at]]
      if (!bytes || !digest) return
      await using writer = await content.writer({ ref: digest, expected: { digest, size: bytes.byteLength } })
      await writer.write(bytes)
      await writer.commit({ digest, size: bytes.byteLength, labels: root })
    }
  }
  const result = await inProcess(async () => {
    await Promise.all(Array.from({ length: 16 }, worker))
    return count
  })
  for (const digest of digests) await content.delete(digest)
  return result
}

const chunkBytes = 1 << 20
const none = Buffer.alloc(0)
const root = { 'containerd.io/gc.root': 'bench' }

await main(process.argv.slice(2))
