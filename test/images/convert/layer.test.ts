import zlib from 'node:zlib'
import test from 'ava'
import { readBlob } from '../../../src/content/blob.ts'
import { MemoryStore } from '../../../src/content/memory-store.ts'
import { convertLayer } from '../../../src/images/convert/layer.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { mediaTypes as types } from '../../../src/oci/media-type.ts'
import { Blobs, blob } from '../../support/image.ts'
import { realLayer } from '../../support/real-layer.ts'

const store = (): MemoryStore => new MemoryStore()

test('convertLayer() takes compression away, and checks the diff id', async t => {
  const { gzip, plain, diffId } = await realLayer('a', 'text')
  const to = store()
  const read: number[] = []
  const made = await convertLayer(new Blobs(gzip), to, gzip.desc, {
    compression: { type: 'none' },
    mediaType: types.ociLayer,
    diffId,
    onRead: bytes => read.push(bytes),
  })
  t.deepEqual(made, plain.desc)
  t.deepEqual(Buffer.from(await readBlob(to, made)), Buffer.from(plain.bytes))
  t.deepEqual((await to.info(made.digest)).labels, {})
  t.is(read.at(-1), gzip.desc.size)
})

test('convertLayer() compresses, and remembers the diff id as a label', async t => {
  const { plain, tar, diffId } = await realLayer('a', 'text')
  const to = store()
  const made = await convertLayer(new Blobs(plain), to, plain.desc, {
    compression: { type: 'gzip' },
    mediaType: types.ociLayerGzip,
    labels: { mine: 'yes' },
  })
  t.deepEqual(zlib.gunzipSync(await readBlob(to, made)), tar)
  t.deepEqual((await to.info(made.digest)).labels, { mine: 'yes', 'containerd.io/uncompressed': diffId })
})

test('convertLayer() goes by the bytes, whatever the media type says', async t => {
  const { tar, plain } = await realLayer('a', 'text')
  const lying = blob(types.ociLayerGzip, tar)
  const made = await convertLayer(new Blobs(lying), store(), lying.desc, {
    compression: { type: 'none' },
    mediaType: types.ociLayer,
  })
  t.is(made.digest, plain.desc.digest)
})

test('convertLayer() begins anew where it was broken off, and finds what it made before', async t => {
  const { gzip, plain } = await realLayer('a', 'text')
  const to = store()
  {
    await using writer = await to.writer({ ref: `convert-uncompress-from-${gzip.desc.digest}` })
    await writer.write(Buffer.from('half'))
  }
  const conversion = { compression: { type: 'none' }, mediaType: types.ociLayer } as const
  t.deepEqual(await convertLayer(new Blobs(gzip), to, gzip.desc, conversion), plain.desc)
  t.deepEqual(await convertLayer(new Blobs(gzip), to, gzip.desc, conversion), plain.desc)
})

test('convertLayer() refuses a layer that is not what the config says, and names it and both digests', async t => {
  const { gzip, diffId } = await realLayer('a', 'text')
  const to = store()
  const error = await t.throwsAsync(
    convertLayer(new Blobs(gzip), to, gzip.desc, {
      compression: { type: 'none' },
      mediaType: types.ociLayer,
      diffId: digestOf('other'),
    }),
    { code: 'DATA_LOSS' },
  )
  for (const digest of [gzip.desc.digest, diffId, digestOf('other')]) t.true(error.message.includes(digest))
  for await (const _ of to.list()) t.fail('something was committed')
})

test('convertLayer() refuses bytes that are not what the digest says', async t => {
  const { gzip } = await realLayer('a', 'text')
  const { gzip: wrong } = await realLayer('b', 'test')
  const damaged = new Blobs(gzip).damage(gzip, wrong.bytes)
  await t.throwsAsync(
    convertLayer(damaged, store(), gzip.desc, { compression: { type: 'none' }, mediaType: types.ociLayer }),
    { code: 'DATA_LOSS' },
  )
})

test('convertLayer() stops when it is told to, and commits nothing', async t => {
  const { gzip } = await realLayer('a', 'text')
  const to = store()
  const stop = new AbortController()
  const from = new Blobs(gzip)
  from.onRead = () => stop.abort(new Error('stop'))
  await t.throwsAsync(
    convertLayer(from, to, gzip.desc, {
      compression: { type: 'none' },
      mediaType: types.ociLayer,
      signal: stop.signal,
    }),
    { message: 'stop' },
  )
  for await (const _ of to.list()) t.fail('something was committed')
})
