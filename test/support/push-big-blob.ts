/**
 * A program that pushes three blobs of about so many bytes to a registry at once, and prints the most memory that it held,
 * in KiB.
 *
 * The blobs are one block, again and again, so that what is measured is the push and not its source.
 */

import { createHash } from 'node:crypto'
import { copyBlob } from '../../src/content/copy.ts'
import type { Provider } from '../../src/content/types.ts'
import { parseDigest } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { noCredentials } from '../../src/remotes/registry/credentials.ts'
import { RegistryResolver } from '../../src/remotes/registry/resolver.ts'

const [, , host = '', bytes = '0'] = process.argv
const size = Number(bytes)
const block = Buffer.alloc(1024 * 1024, 'orlop: bytes that are made while they are sent\n')

function* blocks(total: number, from = 0): Generator<Buffer> {
  for (let at = from; at < total; at += block.byteLength - (at % block.byteLength))
    yield block.subarray(
      at % block.byteLength,
      Math.min(block.byteLength, total - at + (at % block.byteLength)),
    )
}

const source = (total: number): Provider => ({
  async *read(_, { offset } = {}) {
    yield* blocks(total, offset)
  },
})

const digestOf = (total: number): string => {
  const hash = createHash('sha256')
  for (const part of blocks(total)) hash.update(part)
  return `sha256:${hash.digest('hex')}`
}

await using resolver = new RegistryResolver({ credentials: noCredentials })
const pusher = await resolver.pusher(`${host}/app`)
await Promise.all(
  [size, size + 1, size + 2].map(total =>
    copyBlob(source(total), pusher, {
      mediaType: mediaTypes.ociLayer,
      digest: parseDigest(digestOf(total)),
      size: total,
    }),
  ),
)
process.stdout.write(`${process.resourceUsage().maxRSS}\n`)
