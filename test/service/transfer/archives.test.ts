import zlib from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { importArchive } from '../../../src/archive/import.ts'
import { MemoryStore } from '../../../src/content/memory-store.ts'
import { layoutTar, named, tagged } from '../../support/archives.ts'
import { all } from '../../support/bytes.ts'
import { config, flat, image, index, layer, manifest, on } from '../../support/image.ts'
import { putImage } from '../../support/put-image.ts'
import { inChunks, tarEnd } from '../../support/tar.ts'
import {
  archiveIn,
  archiveOut,
  openTransfer,
  progressOn,
  receiveAll,
  sendAll,
  store,
  type TransferClient,
} from '../../support/transfer.ts'

const arm = { os: 'linux', architecture: 'arm64' }
const amd = { os: 'linux', architecture: 'amd64' }
const both = index(
  on('linux/amd64', image('linux/amd64', 'one')),
  on('linux/arm64', image('linux/arm64', 'two')),
)

const bring = async (client: TransferClient, bytes: Uint8Array, destination: Parameters<typeof store>[0]) => {
  const stream = await client.stream('archive')
  const sent = sendAll(stream, bytes)
  try {
    await client.transfer(archiveIn({ stream: 'archive' }), store(destination))
    return await sent
  } finally {
    stream.cancel()
    await sent.catch(() => undefined)
  }
}

const namesIn = async ({ scope }: TransferClient): Promise<readonly string[]> =>
  (await all(scope.images.list())).map(({ name }) => name)

const prefix = (name: string, init: object = {}) => ({ name, isPrefix: true, ...init })

const namings: ReadonlyArray<
  readonly [what: string, destination: Parameters<typeof store>[0], names: string[]]
> = [
  [
    'all names, tags behind the prefix',
    { extraReferences: [prefix('import-2026', { allowOverwrite: true })] },
    ['docker.io/library/full:1', 'import-2026:v1'],
  ],
  [
    'only names under the prefix',
    { extraReferences: [prefix('docker.io/library/full')] },
    ['docker.io/library/full:1', 'docker.io/library/full:v1'],
  ],
  ['the whole index, by a name of its own', { name: 'example.com/all:1' }, ['example.com/all:1']],
  [
    'names by digest too',
    { extraReferences: [prefix('x', { allowOverwrite: true, addDigest: true })] },
    [
      'docker.io/library/full:1',
      `x:v1`,
      ...[`x@${both.desc.digest}`, `x@${image('linux/amd64', 'other').desc.digest}`].toSorted(),
    ],
  ],
  [
    'names by digest where there is no other',
    {
      extraReferences: [prefix('x', { allowOverwrite: true, addDigest: true, skipNamedDigest: true })],
    },
    ['docker.io/library/full:1', 'x:v1'],
  ],
]
for (const [what, destination, wanted] of namings) {
  test(`transfer imports an archive and names: ${what}`, async t => {
    const client = await openTransfer(t)
    const tar = layoutTar(
      tagged(both, 'v1'),
      named(image('linux/amd64', 'other'), 'docker.io/library/full:1'),
    )
    await bring(client, tar, { labels: { a: 'b' }, ...destination })
    t.deepEqual((await namesIn(client)).toSorted(), wanted.toSorted())
    for (const { labels } of await all(client.scope.images.list())) t.deepEqual({ ...labels }, { a: 'b' })
    t.deepEqual(await all(client.scope.leases.list()), [])
  })
}

test('transfer imports a compressed archive of many windows, for one platform, and tells how it goes', async t => {
  const client = await openTransfer(t)
  const big = index(
    on('linux/amd64', manifest(config(), layer(Buffer.alloc(700_000, 'x')))),
    on('linux/arm64', image('linux/arm64', 'two')),
  )
  const [progress, archive] = [await client.stream('progress'), await client.stream('archive')]
  const told = progressOn(progress)
  const sent = sendAll(archive, zlib.gzipSync(layoutTar(tagged(big, 'v1')), { level: 0 }))
  await client.transfer(
    archiveIn({ stream: 'archive' }),
    store({ platforms: [amd], extraReferences: [prefix('a')] }),
    'progress',
  )
  t.true((await sent) <= 131_072, 'never more than two windows')
  t.deepEqual(await told, [': Importing', 'a:v1: saved', ': Completed import'])
  t.is((await client.scope.images.get('a:v1')).target.digest, big.desc.digest)
  archive.cancel()
})

test('transfer imports over images that are there, labels and all', async t => {
  const client = await openTransfer(t)
  await client.scope.images.create({
    name: 'a:v1',
    target: image('linux/amd64', 'old').desc,
    labels: { x: 'y' },
  })
  await bring(client, layoutTar(tagged(both, 'v1')), { extraReferences: [prefix('a')] })
  const { target, labels } = await client.scope.images.get('a:v1')
  t.is(target.digest, both.desc.digest)
  t.deepEqual({ ...labels }, {})
})

const wrong: ReadonlyArray<readonly [what: string, bytes: Buffer, code: string]> = [
  ['is cut off', layoutTar(tagged(both, 'v1')).subarray(0, 3000), 'DATA_LOSS'],
  ['is none', Buffer.alloc(5000, 'no tar '), 'DATA_LOSS'],
  ['is empty', Buffer.alloc(0), 'DATA_LOSS'],
  ['has nothing in it', tarEnd, 'INVALID_ARGUMENT'],
  ['has a name that is none', layoutTar(named(both, '../../etc')), 'INVALID_ARGUMENT'],
]
for (const [what, bytes, code] of wrong) {
  test(`transfer imports nothing of an archive that ${what}`, async t => {
    const client = await openTransfer(t)
    const error = await t.throwsAsync(bring(client, bytes, { extraReferences: [prefix('a')] }))
    t.regex(Reflect.get(error ?? {}, 'code'), new RegExp(`^(?:${code}|INVALID_ARGUMENT)$`))
    t.deepEqual(await namesIn(client), [])
    t.deepEqual(await all(client.scope.content.statuses()), [])
    t.deepEqual(await all(client.scope.leases.list()), [])
  })
}

test('transfer imports nothing when no image of the archive is for the platform', async t => {
  const client = await openTransfer(t)
  const destination = { platforms: [{ os: 'plan9', architecture: 'mips' }], extraReferences: [prefix('a')] }
  await t.throwsAsync(bring(client, layoutTar(tagged(both, 'v1')), destination), { code: 'NOT_FOUND' })
  t.deepEqual(await namesIn(client), [])
})

async function withImages(t: ExecutionContext) {
  const client = await openTransfer(t)
  await putImage(client.scope, 'example.com/a:1', both)
  await putImage(client.scope, 'example.com/b:1', image('linux/amd64', 'b'))
  return client
}

const take = async (client: TransferClient, from: Parameters<typeof store>[0], to: object, step?: number) => {
  const stream = await client.stream('out')
  const got = receiveAll(stream, step)
  await client.transfer(store(from), archiveOut({ stream: 'out', ...to }))
  return got
}

test('transfer exports images as an archive that imports, and the same bytes each time', async t => {
  const client = await withImages(t)
  const from = { extraReferences: [{ name: 'example.com/a:1' }, { name: 'example.com/b:1' }] }
  const { bytes, sizes } = await take(client, from, { allPlatforms: true, platforms: [amd] })
  t.true(sizes.every(size => size <= 32_768))
  const content = new MemoryStore()
  const { index: found } = await importArchive(inChunks(bytes), content)
  t.deepEqual(
    found.manifests.map(({ annotations }) => annotations?.['io.containerd.image.name']),
    ['example.com/a:1', 'example.com/b:1'],
  )
  const wanted = new Set(flat(both, image('linux/amd64', 'b')).map(({ desc }) => desc.digest))
  t.is((await all(content.list())).length, wanted.size)
  t.true(bytes.includes('manifest.json'))
  t.deepEqual((await take(client, from, { allPlatforms: true, platforms: [amd] }, 1000)).bytes, bytes)
})

test('transfer exports one platform, without what Docker wants where it is told so', async t => {
  const client = await withImages(t)
  const to = { platforms: [arm], skipCompatibilityManifest: true }
  const { bytes } = await take(client, { name: 'example.com/a:1' }, to)
  t.false(bytes.includes('manifest.json'))
  const content = new MemoryStore()
  await importArchive(inChunks(bytes), content)
  t.is((await all(content.list())).length, 4, 'index, manifest, config, layer')
})

test('transfer ends the stream of an export also when there is nothing to send', async t => {
  const client = await withImages(t)
  const cases: ReadonlyArray<readonly [from: Parameters<typeof store>[0], code: string]> = [
    [{ name: 'none' }, 'NOT_FOUND'],
    [{}, 'INVALID_ARGUMENT'],
    [{ extraReferences: [prefix('example.com/')] }, 'UNIMPLEMENTED'],
  ]
  for (const [from, code] of cases) {
    const stream = await client.stream('out')
    const got = receiveAll(stream)
    await t.throwsAsync(client.transfer(store(from), archiveOut({ stream: 'out' })), { code })
    t.is((await got).bytes.byteLength, 0)
  }
})

test('an export ends when its client does, and when it cancels', async t => {
  const client = await withImages(t)
  const stream = await client.stream('out')
  const exporting = client.transfer(store({ name: 'example.com/b:1' }), archiveOut({ stream: 'out' }))
  stream.end()
  await t.throwsAsync(exporting, { code: 'CANCELED' })
})

test('transfer sends an archive back', async t => {
  const client = await openTransfer(t)
  const [from, to] = [await client.stream('in'), await client.stream('out')]
  const bytes = Buffer.alloc(300_000, 'echo ')
  const [sent, got] = [sendAll(from, bytes), receiveAll(to)]
  await client.transfer(archiveIn({ stream: 'in' }), archiveOut({ stream: 'out' }))
  await sent
  t.true((await got).bytes.equals(bytes))
  from.cancel()
})

test('transfer gives further names, which go with the first', async t => {
  const client = await withImages(t)
  const { digest } = both.desc
  const more = [{ name: 'second:1' }, { name: 'third', addDigest: true }, prefix('fourth')]
  await client.transfer(store({ name: 'example.com/a:1' }), store({ name: 'first:1', extraReferences: more }))
  t.deepEqual(await namesIn(client), [
    'example.com/a:1',
    'example.com/b:1',
    'first:1',
    'second:1',
    `third@${digest}`,
  ])
  const { labels } = await client.scope.images.get('second:1')
  t.is(labels['containerd.io/gc.bref.image'], 'first:1')
  t.false(Number.isNaN(Date.parse(labels['containerd.io/gc.expire'] ?? '')))
  await t.throwsAsync(client.transfer(store({ name: 'example.com/a:1' }), store({})), {
    code: 'INVALID_ARGUMENT',
  })
})
