import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import { isUnavailable } from '../../src/errors.ts'
import { documentOf } from '../../src/fsck/documents.ts'
import { imagesOf } from '../../src/fsck/rebuild-names.ts'
import { check } from '../../src/images/check.ts'
import { annotationKeys } from '../../src/oci/annotations.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { checkStore } from '../../src/runtime/fsck.ts'
import { prune } from '../../src/runtime/prune.ts'
import { pull } from '../../src/runtime/pull.ts'
import { type RebuildStoreOptions, rebuildStore } from '../../src/runtime/rebuild.ts'
import { type DamagedStore, damagedStore, short } from '../support/damaged-store.ts'
import {
  config,
  index,
  indexWith,
  layer,
  manifest,
  manifestWith,
  type Node,
  withExtra,
} from '../support/image.ts'
import { orlop } from '../support/run.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const lose = (store: DamagedStore): Promise<void> =>
  fs.rm(path.join(store.root, 'metadata'), { recursive: true })

const again = (store: DamagedStore, options: Omit<RebuildStoreOptions, 'root'> = {}) =>
  rebuildStore({ root: store.root, ...options })

const imagesIn = async (store: DamagedStore, namespace = 'default') => {
  await using runtime = await store.open()
  const { images, disk } = runtime.scope(namespace)
  const found: Record<string, string> = {}
  for await (const { name, target } of images.list()) {
    const { available } = await check(disk, target)
    found[name] = available ? target.digest : 'incomplete'
  }
  return found
}

test('rebuild() makes a lost database anew, and nothing is collected of it', async t => {
  const store = await damagedStore(t)
  await lose(store)
  const rebuilt = await again(store)
  t.like(rebuilt, { namespace: 'default', blobs: 5, damaged: [], loose: [] })
  t.is(rebuilt.setAside, undefined)
  const name = `rebuilt@${store.manifest}`
  t.deepEqual(await imagesIn(store), { [name]: store.manifest })
  await using runtime = await store.open()
  t.deepEqual(short((await checkStore(runtime)).findings), [])
  t.like(await runtime.gc.collect(), { blobs: 0, records: {} })
})

test('rebuild() knows of each blob its size and the day it was written', async t => {
  const store = await damagedStore(t)
  const [one = store.config] = store.layers
  const { mtime } = await fs.stat(store.file(one))
  await lose(store)
  await again(store)
  await using runtime = await store.open()
  const info = await runtime.scope().content.info(one)
  t.like(info, { size: 'first layer'.length, labels: {} })
  t.is(info.createdAt.getTime(), mtime.getTime())
})

const damages: ReadonlyArray<readonly [string, (metadata: string) => Promise<void>]> = [
  ['without CURRENT', metadata => fs.rm(path.join(metadata, 'CURRENT'))],
  ['with rubbish in CURRENT', metadata => fs.writeFile(path.join(metadata, 'CURRENT'), 'rubbish\n')],
  [
    'without its manifest',
    async metadata => {
      for (const name of await fs.readdir(metadata)) {
        if (name.startsWith('MANIFEST')) await fs.rm(path.join(metadata, name))
      }
    },
  ],
]

for (const [what, damage] of damages) {
  test(`rebuild() puts a database ${what} into quarantine`, async t => {
    const store = await damagedStore(t)
    const metadata = path.join(store.root, 'metadata')
    await damage(metadata)
    const before = (await fs.readdir(metadata)).filter(name => name.endsWith('.log') || name.endsWith('.ldb'))
    await t.throwsAsync(store.open(), { code: 'DATA_LOSS' })
    const { setAside = '', blobs } = await again(store)
    t.is(blobs, 5)
    t.true(setAside.startsWith(path.join(store.root, 'quarantine')))
    const kept = await fs.readdir(setAside)
    t.true(before.every(name => kept.includes(name)))
    t.deepEqual(await imagesIn(store), { [`rebuilt@${store.manifest}`]: store.manifest })
  })
}

test('rebuild() refuses a store that has records, and changes nothing', async t => {
  const store = await damagedStore(t)
  await t.throwsAsync(again(store), { code: 'FAILED_PRECONDITION', message: /--force-merge/ })
  t.deepEqual(Object.keys(await imagesIn(store)), [store.name])
})

test('rebuild() merges: it adds what is missing and changes no record', async t => {
  const store = await damagedStore(t)
  const [one = store.config] = store.layers
  await store.records([{ type: 'delete', key: `v1/default/content/${one}` }])
  const { blobs, images, loose } = await again(store, { merge: true })
  t.deepEqual([blobs, images, loose], [1, [], []])
  t.deepEqual(await imagesIn(store), { [store.name]: store.manifest })
  await using runtime = await store.open()
  const { labels } = await runtime.scope().content.info(store.config)
  t.true(Object.keys(labels).some(key => key.startsWith('containerd.io/distribution.source')))
})

test('rebuild() merges: what it writes for the image of another namespace is kept until its owner has it', async t => {
  const store = await damagedStore(t)
  const moved: Array<{ type: 'put'; key: string; value: unknown } | { type: 'delete'; key: string }> = []
  {
    await using runtime = await store.open()
    await runtime.parts.database.view(async view => {
      // The records of all blobs are lost, and those of the image in a namespace of its own are not.
      for await (const { key, value } of view.range('v1/default/')) {
        moved.push({ type: 'delete', key })
        if (key.startsWith('v1/default/image/'))
          moved.push({ type: 'put', key: key.replace('default', 'other'), value })
      }
    })
  }
  await store.records(moved)
  const { blobs, images, loose, lease } = await again(store, { merge: true })
  t.deepEqual([blobs, images, loose.length], [5, [], 5])
  t.truthy(lease)
  await using runtime = await store.open()
  t.like(await runtime.gc.collect(), { blobs: 0, records: {} })
})

test('rebuild() merges nothing into a namespace that another namespace has whole', async t => {
  const store = await damagedStore(t)
  const { blobs, images, loose } = await again(store, { merge: true, namespace: 'other' })
  t.deepEqual([blobs, images, loose], [0, [], []])
})

test('a damaged journal stops collections and prunes, and rebuild() makes records of what is left', async t => {
  const store = await damagedStore(t)
  const metadata = path.join(store.root, 'metadata')
  const [name = ''] = (await fs.readdir(metadata)).filter(file => file.endsWith('.log'))
  const journal = await fs.readFile(path.join(metadata, name))
  journal[journal.byteLength >> 1] = (journal[journal.byteLength >> 1] ?? 0) ^ 1
  await fs.writeFile(path.join(metadata, name), journal)
  // The first opening is told of it by LevelDB; all after it only by the note.
  for (let turn = 0; turn < 2; turn++) {
    await using runtime = await store.open()
    const refused = { code: 'DATA_LOSS', message: /--force-merge/ }
    await t.throwsAsync(runtime.gc.collect(), refused)
    await t.throwsAsync(runtime.gc.plan(), refused)
    await t.throwsAsync(prune(runtime, runtime.scope(), { all: true }), refused)
    const { findings } = await checkStore(runtime)
    t.true(
      findings.some(({ severity, found }) => severity === 'broken' && /bytes of its journal/.test(found)),
    )
  }
  for (const digest of [store.manifest, store.config, ...store.layers]) await fs.stat(store.file(digest))
  await again(store, { merge: true })
  t.deepEqual(Object.values(await imagesIn(store)), [store.manifest])
  await using runtime = await store.open()
  t.like(await runtime.gc.collect(), { blobs: 0 })
  t.false((await checkStore(runtime)).findings.some(({ severity }) => severity === 'broken'))
})

test('rebuild() makes no record of damaged blobs, and leaves them where they are', async t => {
  const store = await damagedStore(t)
  const [one = store.config, two = store.config] = store.layers
  await store.flip(one)
  await store.overwrite(two, '')
  await lose(store)
  const { blobs, damaged } = await again(store)
  t.deepEqual([blobs, damaged], [3, [one, two].toSorted()])
  t.deepEqual(await imagesIn(store), { [`rebuilt@${store.manifest}`]: 'incomplete' })
  t.is((await fs.stat(store.file(two))).size, 0)
})

test('rebuild() keeps blobs that belong to no image by a lease', async t => {
  const store = await damagedStore(t)
  const digest = digestOf('loose')
  await fs.writeFile(store.file(digest), 'loose')
  await lose(store)
  const { loose, lease = '' } = await again(store)
  t.deepEqual(loose, [digest])
  await using runtime = await store.open()
  await runtime.gc.collect()
  const { content, leases } = runtime.scope()
  t.is((await content.info(digest)).size, 5)
  await leases.delete(lease)
  await runtime.gc.collect()
  await t.throwsAsync(content.info(digest), { code: 'NOT_FOUND' })
})

test('rebuild() gives no number again that an unfinished write has', async t => {
  const store = await damagedStore(t)
  {
    await using runtime = await store.open()
    await using writer = await runtime.scope().content.writer({ ref: 'left' })
    await writer.write(Buffer.from('half'))
  }
  await lose(store)
  await again(store)
  await using runtime = await store.open()
  await using writer = await runtime.scope().content.writer({ ref: 'left' })
  t.is(writer.offset, 0)
})

test('rebuild() puts all into the namespace that it is given', async t => {
  const store = await damagedStore(t)
  await lose(store)
  t.is((await again(store, { namespace: 'k8s.io' })).namespace, 'k8s.io')
  t.deepEqual(Object.keys(await imagesIn(store, 'k8s.io')), [`rebuilt@${store.manifest}`])
  t.deepEqual(await imagesIn(store), {})
})

test('rebuild() refuses what is no store, no namespace, or open elsewhere', async t => {
  const root = await temporaryDirectory(t)
  await t.throwsAsync(rebuildStore({ root }), { code: 'NOT_FOUND', message: /no directory content/ })
  const store = await damagedStore(t)
  await t.throwsAsync(again(store, { namespace: 'a b', merge: true }), { code: 'INVALID_ARGUMENT' })
  await using _ = await store.open()
  t.true(isUnavailable(await t.throwsAsync(again(store))))
  t.true((await fs.readdir(store.root)).includes('metadata'))
})

test('rebuild() of a store without blobs makes an empty one', async t => {
  const root = await temporaryDirectory(t)
  await fs.mkdir(path.join(root, 'content'))
  t.like(await rebuildStore({ root }), { blobs: 0, images: [], loose: [] })
})

test('a rebuilt store takes a pull of the same image without fetching its layers', async t => {
  const store = await damagedStore(t)
  await lose(store)
  await again(store)
  await using runtime = await store.open()
  const before = store.registry.seen(/GET .*blobs/).length
  await pull({ resolver: store.resolver, scope: runtime.scope() }, store.name)
  t.is(store.registry.seen(/GET .*blobs/).length, before)
})

const filesOf = (...nodes: readonly Node[]) =>
  nodes.map(({ desc: { digest }, bytes }) => {
    const document = documentOf(bytes)
    return {
      digest,
      size: bytes.byteLength,
      modifiedAt: new Date(0),
      actual: digest,
      ...(document && { document }),
    }
  })

const named = (name: string) => ({ annotations: { [annotationKeys.imageName]: name } })

test('imagesOf() names what an annotation names, in a document or in the index above it', t => {
  const below = manifest(config(), layer('a'))
  const own = manifestWith(named('docker.io/library/own:1'), config(), layer('b'))
  const above = index(withExtra(below, named('docker.io/library/below:1')))
  t.deepEqual(
    imagesOf(filesOf(below, own, above)).map(({ name, target }) => [name, target.digest]),
    [
      ['docker.io/library/below:1', below.desc.digest],
      ['docker.io/library/own:1', own.desc.digest],
      [`rebuilt@${above.desc.digest}`, above.desc.digest],
    ],
  )
})

test('imagesOf() takes a ref.name only when it is more than a tag', t => {
  const tagged = indexWith(
    { annotations: { [annotationKeys.refName]: '3.20' } },
    manifest(config(), layer('a')),
  )
  const full = indexWith({ annotations: { [annotationKeys.refName]: 'ghcr.io/a/b:1' } }, manifest(config()))
  t.deepEqual(
    imagesOf(filesOf(tagged, full)).map(({ name, isNamed }) => [name, isNamed]),
    [
      ['ghcr.io/a/b:1', true],
      [`rebuilt@${tagged.desc.digest}`, false],
    ],
  )
})

test('imagesOf() gives a name that two claim to one, and the other its digest', t => {
  const two = ['a', 'b'].map(text => manifestWith(named('app:1'), config(), layer(text)))
  const images = imagesOf(filesOf(...two))
  t.deepEqual(new Set(images.map(({ target }) => target.digest)), new Set(two.map(({ desc }) => desc.digest)))
  t.deepEqual(
    images.map(({ isNamed }) => isNamed),
    [true, false],
  )
})

test('imagesOf() makes an image of what refers to another by its subject, and leaves that an image', t => {
  const subject = manifest(config(), layer('a'))
  const signature = manifestWith({ subject: subject.desc }, config({ author: 'signer' }), layer('signature'))
  t.is(imagesOf(filesOf(subject, signature)).length, 2)
})

const isNoDocument = test.macro({
  exec(t, text: string) {
    t.is(documentOf(Buffer.from(text)), undefined)
  },
  title: (what = '') => `documentOf() passes over ${what}`,
})

const digest = digestOf('x')
const desc = { mediaType: mediaTypes.ociConfig, digest, size: 1 }
test('an empty file', isNoDocument, '')
test('an image config', isNoDocument, '{"architecture":"amd64","os":"linux","config":{"Env":[]},"rootfs":{}}')
test('what is not JSON', isNoDocument, '{"schemaVersion":2,')
test('JSON that is no document', isNoDocument, '{"schemaVersion":2}')
test('an array', isNoDocument, '[]')
test('a document of schema 1', isNoDocument, '{"schemaVersion":1,"fsLayers":[],"config":{}}')
test('JSON with a list of manifests and no version', isNoDocument, '{"manifests":[]}')
test('a document of another media type', isNoDocument, '{"schemaVersion":2,"mediaType":"a/b","manifests":[]}')
test(
  'a document that is both index and manifest',
  isNoDocument,
  JSON.stringify({ schemaVersion: 2, manifests: [], config: desc, layers: [] }),
)
test('a document with a key twice', isNoDocument, '{"schemaVersion":2,"manifests":[],"manifests":[]}')

test('orlop rebuild says what it made, and what cannot be known', async t => {
  const store = await damagedStore(t)
  await fs.rm(path.join(store.root, 'metadata', 'CURRENT'))
  const { code, stdout, stderr } = await orlop(['--root', store.root, 'rebuild'])
  t.is(code, 0)
  t.is(stdout, `rebuilt@${store.manifest} ${store.manifest}\n`)
  t.regex(
    stderr,
    /^the damaged database is in .*quarantine.*metadata\n5 blobs \(.*\) and 1 images are in namespace default/,
  )
  t.regex(stderr, /not known any more: names without annotation, labels, namespaces, leases, dates of images/)
  t.is((await orlop(['--root', store.root, 'check'])).code, 0)
})

test('orlop rebuild exits with 5 when blobs were damaged, and with 1 when there are records', async t => {
  const store = await damagedStore(t)
  const refused = await orlop(['--root', store.root, 'rebuild'])
  t.is(refused.code, 1)
  t.regex(refused.stderr, /has 9 records; .*--force-merge/)
  await store.flip(store.config)
  await lose(store)
  const { code, stdout } = await orlop(['--json', '--root', store.root, 'rebuild'])
  t.deepEqual([code, JSON.parse(stdout).damaged], [5, [store.config]])
})
