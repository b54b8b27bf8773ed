import zlib from 'node:zlib'
import test from 'ava'
import { MemoryStore } from '../../src/content/memory-store.ts'
import type { Provider } from '../../src/content/types.ts'
import { OrlopError } from '../../src/errors.ts'
import { chainId, chainIds } from '../../src/images/chain-id.ts'
import { diffId } from '../../src/images/diff-id.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { Blobs, blob, layer, type Node } from '../support/image.ts'

const text = 'hello zstd hello zstd hello zstd\n'
const zstd = Buffer.from('KLUv/SQhlQAAYGhlbGxvIHpzdGQgCgEA/ooXqeve/w==', 'base64')
const gzip = zlib.gzipSync(text)
const label = 'containerd.io/uncompressed'

const gives = test.macro({
  async exec(t, mediaType: string, bytes: Uint8Array) {
    const node = layer(bytes, mediaType)
    const store = new Blobs(node)
    t.is(await diffId(store, node.desc), digestOf(text))
    t.deepEqual((await store.info(node.desc.digest)).labels, { [label]: digestOf(text) })
  },
  title: (title = '') => `diffId() ${title}`,
})

test('decompresses gzip and remembers', gives, mediaTypes.ociLayerGzip, gzip)
test('decompresses zstd and remembers', gives, mediaTypes.ociLayerZstd, zstd)
test("decompresses Docker's gzip", gives, mediaTypes.dockerLayerGzip, gzip)
test('decompresses foreign layers', gives, mediaTypes.dockerForeignLayerGzip, gzip)
test("looks into Docker's plain type, where containerd trusts it", gives, mediaTypes.dockerLayer, gzip)
test('believes the bytes and not the media type: zstd called gzip', gives, mediaTypes.ociLayerGzip, zstd)
test(
  'believes the bytes and not the media type: plain called gzip',
  gives,
  mediaTypes.ociLayerGzip,
  Buffer.from(text),
)
test('takes types that it does not know', gives, 'application/x-unknown', gzip)
test(
  'takes gzip in several members',
  gives,
  mediaTypes.ociLayerGzip,
  Buffer.concat([zlib.gzipSync(text.slice(0, 5)), zlib.gzipSync(text.slice(5))]),
)

for (const mediaType of [mediaTypes.ociLayer, mediaTypes.ociNondistributableLayer]) {
  test(`diffId() of ${mediaType} is its digest, unread`, async t => {
    const node = layer('x', mediaType)
    t.is(await diffId(new Blobs(), node.desc), node.desc.digest)
  })
}

test('diffId() of a layer without bytes is that of nothing', async t => {
  const node = layer('')
  t.is(await diffId(new Blobs(node), node.desc), digestOf(''))
})

test('diffId() of a plain layer with a digest of sha512 is sha256', async t => {
  const desc = { mediaType: mediaTypes.dockerLayer, digest: digestOf(text, 'sha512'), size: text.length }
  const store = new Blobs().put({ desc, bytes: Buffer.from(text) })
  t.is(await diffId(store, desc), digestOf(text))
})

test('diffId() takes the label and reads nothing', async t => {
  const node = layer(gzip)
  const store = new Blobs(node)
  await store.update(node.desc.digest, { labels: { [label]: digestOf('known') } })
  t.is(await diffId(store, node.desc), digestOf('known'))
  t.deepEqual(store.reads, [])
})

test('diffId() reads the second time only the label', async t => {
  const node = layer(gzip)
  const store = new Blobs(node)
  await diffId(store, node.desc)
  const { length } = store.reads
  t.is(await diffId(store, node.desc), digestOf(text))
  t.is(store.reads.length, length)
})

test('diffId() mends a label that is no digest, and keeps other labels', async t => {
  const node = layer(gzip)
  const store = new Blobs(node)
  await store.update(node.desc.digest, { labels: { [label]: 'nonsense', other: 'x' } })
  t.is(await diffId(store, node.desc), digestOf(text))
  t.deepEqual((await store.info(node.desc.digest)).labels, { [label]: digestOf(text), other: 'x' })
})

test('diffId() works on a content store', async t => {
  const store = new MemoryStore()
  const node = layer(gzip)
  await using writer = await store.writer({ ref: 'x' })
  await writer.write(gzip)
  await writer.commit({ labels: { other: 'x' } })
  t.is(await diffId(store, node.desc), digestOf(text))
  t.deepEqual((await store.info(node.desc.digest)).labels, { [label]: digestOf(text), other: 'x' })
})

test('diffId() works on a provider without labels', async t => {
  const node = layer(gzip)
  const store = new Blobs(node)
  const provider: Provider = { read: (target, options) => store.read(target, options) }
  t.is(await diffId(provider, node.desc), digestOf(text))
})

for (const code of ['FAILED_PRECONDITION', 'NOT_FOUND'] as const) {
  test(`diffId() answers though the label cannot be set: ${code}`, async t => {
    const node = layer(gzip)
    const store = new Blobs(node)
    store.update = async () => Promise.reject(new OrlopError(code, 'no labels'))
    t.is(await diffId(store, node.desc), digestOf(text))
  })
}

test('diffId() passes other failures to set the label', async t => {
  const node = layer(gzip)
  const store = new Blobs(node)
  store.update = async () => Promise.reject(new OrlopError('RESOURCE_EXHAUSTED', 'full'))
  await t.throwsAsync(diffId(store, node.desc), { code: 'RESOURCE_EXHAUSTED' })
})

const fails = test.macro({
  async exec(t, node: Node, code: string, spoil: (store: Blobs) => Blobs = store => store) {
    const store = spoil(new Blobs(node))
    await t.throwsAsync(diffId(store, node.desc), { code })
    if (code !== 'NOT_FOUND') t.deepEqual((await store.info(node.desc.digest)).labels, {})
  },
  title: (title = '') => `diffId() ${title}, and remembers nothing`,
})

test('finds no blob', fails, layer(gzip), 'NOT_FOUND', store => store.lose(layer(gzip)))
test('refuses encrypted layers', fails, layer(gzip, `${mediaTypes.ociLayerGzip}+encrypted`), 'UNIMPLEMENTED')
test('finds gzip that is cut', fails, layer(gzip.subarray(0, -5)), 'DATA_LOSS')
test('finds other bytes than the digest says', fails, layer(gzip), 'DATA_LOSS', store =>
  store.damage(layer(gzip), zlib.gzipSync('other')),
)
test('finds fewer bytes than the size says', fails, layer(Buffer.concat([gzip, gzip])), 'DATA_LOSS', store =>
  store.damage(layer(Buffer.concat([gzip, gzip])), gzip),
)
test(
  'finds zstd that is none',
  fails,
  layer(Buffer.concat([zstd.subarray(0, 8), Buffer.from('garbage garbage garbage')])),
  'DATA_LOSS',
)

test('diffId() rejects with the reason when the signal fires, at any read', async t => {
  for (const at of [1, 2]) {
    const node = layer(gzip)
    const store = new Blobs(node)
    const stop = new AbortController()
    const reason = new Error('enough')
    store.onRead = () => {
      if (store.reads.length === at) stop.abort(reason)
    }
    t.is(await t.throwsAsync(diffId(store, node.desc, { signal: stop.signal })), reason)
  }
})

const [a, b, c] = [digestOf('a'), digestOf('b'), digestOf('c')]

test('chainIds() of no layers are none', t => {
  t.deepEqual(chainIds([]), [])
  t.is(chainId([]), undefined)
})

test('chainIds() of one layer is its diff id', t => {
  t.deepEqual(chainIds([a]), [a])
  t.is(chainId([a]), a)
})

test('chainIds() name each layer with all below it', t => {
  const two = digestOf(`${a} ${b}`)
  const three = digestOf(`${two} ${c}`)
  t.deepEqual(chainIds([a, b, c]), [a, two, three])
  t.is(chainId([a, b, c]), three)
})

test('chainIds() depend on the order', t => {
  t.not(chainId([a, b]), chainId([b, a]))
})

test('diffId() of a blob that is no layer is that of its bytes', async t => {
  const node = blob('application/json', '{}')
  t.is(await diffId(new Blobs(node), node.desc), digestOf('{}'))
})
