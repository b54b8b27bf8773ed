/**
 * A registry, run in a process of its own, with one image whose single layer is as large as its argument says (bytes).
 *
 * The layer is made while it is sent and lies nowhere. Prints its host, and then answers until it is killed.
 */

import { createHash } from 'node:crypto'
import http from 'node:http'
import { pipeline } from 'node:stream/promises'

const size = Number(process.argv[2])
const block = Buffer.alloc(1024 * 1024, 'orlop: bytes that are made while they are sent\n')

// Each block starts with its number, so that no two are equal and none can be left out.
function* blocks(from = 0): Generator<Buffer> {
  for (let at = from; at < size; ) {
    const number = Math.floor(at / block.length)
    const skip = at % block.length
    const numbered = Buffer.from(block)
    numbered.writeUInt32BE(number)
    const part = numbered.subarray(skip, Math.min(block.length, size - number * block.length))
    yield part
    at += part.length
  }
}

const sha256 = (chunks: Iterable<Buffer>): string => {
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}

const describe = (mediaType: string, bytes: Buffer) => ({
  mediaType,
  digest: sha256([bytes]),
  size: bytes.length,
})

const type = 'application/vnd.oci.image'
const layer = { mediaType: `${type}.layer.v1.tar`, digest: sha256(blocks()), size }
const config = Buffer.from(
  JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  }),
)
const configDescriptor = describe(`${type}.config.v1+json`, config)
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: configDescriptor,
    layers: [layer],
  }),
)
const { digest: manifestDigest, mediaType: manifestType } = describe(`${type}.manifest.v1+json`, manifest)

const server = http.createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost')
  const reply = (bytes: Buffer, headers: http.OutgoingHttpHeaders = {}) => {
    response.writeHead(200, { 'content-length': bytes.length, ...headers })
    response.end(request.method === 'HEAD' ? undefined : bytes)
  }
  if (pathname === '/v2/') return void reply(Buffer.from('{}'))
  if (pathname.includes('/manifests/')) {
    return void reply(manifest, { 'content-type': manifestType, 'docker-content-digest': manifestDigest })
  }
  if (pathname.endsWith(configDescriptor.digest)) return void reply(config)
  if (!pathname.endsWith(layer.digest)) return void response.writeHead(404).end()
  const [, first] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? []
  const from = Number(first ?? 0)
  const range = first === undefined ? {} : { 'content-range': `bytes ${from}-${size - 1}/${size}` }
  response.writeHead(first === undefined ? 200 : 206, { 'content-length': size - from, ...range })
  // A client that hangs up is no failure of ours.
  await pipeline(blocks(from), response).catch(() => {})
})

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.stdout.write(`127.0.0.1:${address.port}\n`)
})
