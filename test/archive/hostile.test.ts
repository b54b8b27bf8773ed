import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { ByteSource } from '../../src/archive/types.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { type LoadOptions, load } from '../../src/runtime/import.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import {
  blobEntry,
  dockerEntries,
  dockerPaths,
  indexEntry,
  layoutEntries,
  layoutEntry,
  layoutTar,
  named,
  pathOf,
  tagged,
} from '../support/archives.ts'
import { gzipBomb, zstdBomb } from '../support/bombs.ts'
import { allocatedByDu } from '../support/du.ts'
import { blob, collect, image, index } from '../support/image.ts'
import { openRuntime } from '../support/store.ts'
import { gnuLong, inChunks, paxEntry, type RawEntry, rawEntry, rawHeader, rawTar } from '../support/tar.ts'

const MiB = 1024 * 1024
const whole = index(image('linux/amd64'), image('linux/arm64'))
const good = layoutEntries(tagged(whole, 'v1'))

/** Everything that a store holds, once what nothing keeps is collected; the bytes of all files too. */
async function stateOf(runtime: Runtime) {
  await runtime.gc.collect()
  const { content, images, leases } = runtime.scope()
  return {
    blobs: (await collect(content.list())).map(({ digest, labels }) => ({ digest, labels })),
    ingests: (await collect(content.statuses())).map(({ ref }) => ref),
    images: (await collect(images.list())).map(({ name, target }) => ({ name, target })),
    leases: (await collect(leases.list())).map(({ id }) => id),
    files: (await fs.readdir(path.join(runtime.root, 'content'), { recursive: true })).toSorted(),
  }
}

interface Refusal {
  readonly source: ByteSource | readonly (RawEntry | Buffer)[]
  readonly code: string
  readonly message: RegExp
  readonly options?: LoadOptions
}

/** Imports into a store that has an image, which must fail and leave the store as it was. */
async function refuses(t: ExecutionContext, { source, code, message, options }: Refusal): Promise<Runtime> {
  const runtime = await openRuntime(t)
  await load(runtime.scope(), inChunks(layoutTar(named(image('linux/s390x'), 'a.b/there:1'))))
  const before = await stateOf(runtime)
  const bytes = Array.isArray(source) ? inChunks(rawTar(...source), 4000) : (source as ByteSource)
  await t.throwsAsync(load(runtime.scope(), bytes, { what: 'x.tar', ...options }), { code, message })
  t.deepEqual(await stateOf(runtime), before)
  return runtime
}

const isRefused = test.macro<[readonly (RawEntry | Buffer)[], string, RegExp]>({
  exec: async (t, source, code, message) => void (await refuses(t, { source, code, message })),
  title: (title = '') => `an archive is refused, and the store stays as it was: ${title}`,
})

const withEntry = (...entries: readonly (RawEntry | Buffer)[]) => [...good, ...entries]
const docker = dockerEntries()
const dockerWith = (name: string, ...entries: readonly RawEntry[]) =>
  docker.flatMap(entry => (entry.name === name ? entries : [entry]))
const layerPath = dockerPaths.layer(0)

test(
  'a name with ..',
  isRefused,
  withEntry({ name: '../../etc/passwd', body: 'x' }),
  'INVALID_ARGUMENT',
  /leads out/,
)
test(
  'a name with .. in the middle',
  isRefused,
  withEntry({ name: 'blobs/../../x' }),
  'INVALID_ARGUMENT',
  /leads out/,
)
test('a directory with ..', isRefused, withEntry({ name: '../', flag: '5' }), 'INVALID_ARGUMENT', /leads out/)
test(
  'an absolute name',
  isRefused,
  withEntry({ name: '/etc/passwd', body: 'x' }),
  'INVALID_ARGUMENT',
  /absolute/,
)
test(
  'a name with NUL',
  isRefused,
  withEntry(paxEntry(['path=index.json\0x']), rawEntry({})),
  'INVALID_ARGUMENT',
  /NUL/,
)
test(
  'a name of 10 kB',
  isRefused,
  withEntry(gnuLong('L', 'x'.repeat(10_240)), rawEntry({})),
  'INVALID_ARGUMENT',
  /10240 bytes/,
)
test(
  'a name that drives a terminal',
  isRefused,
  withEntry({ name: 'a\u001b[2J' }),
  'INVALID_ARGUMENT',
  /control characters/,
)
test(
  'a symbolic link out',
  isRefused,
  withEntry({ name: 'x', flag: '2', linkName: '../../etc/passwd' }),
  'INVALID_ARGUMENT',
  /leads out/,
)
test(
  'a symbolic link to an absolute path',
  isRefused,
  withEntry({ name: 'x', flag: '2', linkName: '/etc/passwd' }),
  'INVALID_ARGUMENT',
  /leads out/,
)
test(
  'a hard link out',
  isRefused,
  withEntry({ name: 'a/x', flag: '1', linkName: '../etc/passwd' }),
  'INVALID_ARGUMENT',
  /leads out/,
)
test(
  'a link that stands for a layer, out',
  isRefused,
  dockerWith(layerPath, { name: layerPath, flag: '2', linkName: '../../../proc/self/mem' }),
  'INVALID_ARGUMENT',
  /leads out/,
)
test(
  'links that go round',
  isRefused,
  dockerWith(
    layerPath,
    { name: layerPath, flag: '2', linkName: '../b' },
    { name: 'b', flag: '2', linkName: layerPath },
  ),
  'INVALID_ARGUMENT',
  /leads to itself/,
)
test(
  'a link to itself',
  isRefused,
  dockerWith(layerPath, { name: layerPath, flag: '2', linkName: 'layer.tar' }),
  'INVALID_ARGUMENT',
  /leads to itself/,
)
test(
  'a link to nothing there',
  isRefused,
  dockerWith(layerPath, { name: layerPath, flag: '1', linkName: 'nothing' }),
  'INVALID_ARGUMENT',
  /"nothing": is named, and is not in the archive/,
)
test(
  'a character device',
  isRefused,
  withEntry({ name: 'null', flag: '3' }),
  'INVALID_ARGUMENT',
  /character-device/,
)
test('a block device', isRefused, withEntry({ name: 'sda', flag: '4' }), 'INVALID_ARGUMENT', /block-device/)
test('a pipe', isRefused, withEntry({ name: 'pipe', flag: '6' }), 'INVALID_ARGUMENT', /fifo/)
test(
  'a sparse file of GNU',
  isRefused,
  dockerWith(layerPath, {
    name: layerPath,
    flag: 'S',
    magic: 'ustar  \0',
    patch: block => void block.write('00000100000\0', 483),
  }),
  'UNIMPLEMENTED',
  /sparse/,
)
test(
  'a sparse file of pax',
  isRefused,
  [
    paxEntry([
      'GNU.sparse.major=1',
      'GNU.sparse.minor=0',
      `GNU.sparse.name=${layerPath}`,
      'GNU.sparse.realsize=9999999999',
    ]),
    rawEntry({ name: 'x' }),
    ...docker,
  ],
  'UNIMPLEMENTED',
  /sparse/,
)
test(
  'a pax size that is larger than what is there',
  isRefused,
  [...good, paxEntry(['size=99999']), rawEntry({ name: 'x', body: 'x' })],
  'DATA_LOSS',
  /cut off/,
)
test(
  'a pax size that hides entries',
  isRefused,
  [paxEntry(['size=0']), rawEntry({ name: 'x', body: 'no header' }), ...good],
  'DATA_LOSS',
  /checksum/,
)
test(
  'a pax size for all entries',
  isRefused,
  [paxEntry(['size=1024'], 'g'), ...good],
  'INVALID_ARGUMENT',
  /all entries/,
)
test(
  'an entry that is longer than its header says',
  isRefused,
  [Buffer.concat([rawHeader({ ...blobEntry(whole), size: 5 }), Buffer.alloc(1024, 'x')]), ...good],
  'DATA_LOSS',
  /checksum|bytes are those/,
)
test(
  'an entry that is shorter than its header says',
  isRefused,
  [...good, rawHeader({ name: 'x', size: 8 ** 11 - 1 })],
  'DATA_LOSS',
  /cut off/,
)
test(
  'a blob whose bytes are others',
  isRefused,
  good.map(entry => (entry.name === pathOf(whole) ? { ...entry, body: 'x' } : entry)),
  'DATA_LOSS',
  new RegExp(`${pathOf(whole)}: its bytes are those of ${digestOf('x')}`),
)
test(
  'two entries of one name with other bytes: blobs',
  isRefused,
  withEntry({ name: pathOf(whole), body: 'x' }),
  'INVALID_ARGUMENT',
  /comes twice/,
)
test(
  'two entries of one name with other bytes: index.json',
  isRefused,
  withEntry(indexEntry()),
  'INVALID_ARGUMENT',
  /"index\.json": comes twice/,
)
test(
  'two entries of one name with other bytes: layers',
  isRefused,
  [...docker, { name: layerPath, body: 'x' }],
  'INVALID_ARGUMENT',
  /comes twice/,
)
test(
  'two entries of one name: a file and a link',
  isRefused,
  [...docker, { name: layerPath, flag: '2', linkName: 'layer2.tar' }],
  'INVALID_ARGUMENT',
  /comes twice/,
)
test(
  'two entries of one name: a link and a file',
  isRefused,
  [{ name: layerPath, flag: '2', linkName: 'x' }, ...docker],
  'INVALID_ARGUMENT',
  /comes twice/,
)
test(
  'a manifest.json that names absent files',
  isRefused,
  docker.filter(({ name }) => name !== layerPath),
  'INVALID_ARGUMENT',
  /is named, and is not in the archive/,
)
test(
  'a manifest.json that names an absolute path',
  isRefused,
  [
    ...docker.filter(({ name }) => name !== 'manifest.json'),
    { name: 'manifest.json', body: '[{"Config":"/etc/passwd"}]' },
  ],
  'INVALID_ARGUMENT',
  /absolute/,
)
test(
  'a manifest.json that nests deeply',
  isRefused,
  [{ name: 'manifest.json', body: '['.repeat(5000) + ']'.repeat(5000) }],
  'INVALID_ARGUMENT',
  /nested deeper/,
)
test(
  'an index that contains itself by name only',
  isRefused,
  [blobEntry(whole), indexEntry(tagged(whole, 'v1')), layoutEntry],
  'FAILED_PRECONDITION',
  /neither in it nor in the store/,
)

test('an index.json of 1 GB is refused before it is read', async t => {
  let given = 0
  const source = (async function* () {
    yield rawHeader({ name: 'index.json', size: 1_000_000_000 })
    for (; given < 1_000_000_000; given += MiB) yield Buffer.alloc(MiB, ' ')
  })()
  await refuses(t, {
    source,
    code: 'RESOURCE_EXHAUSTED',
    message: /index\.json: 1000000000 bytes, more than the 4194304/,
  })
  t.true(given <= 2 * MiB)
})

for (const name of ['oci-layout', 'manifest.json']) {
  test(`a ${name} of 1 GB is refused before it is read`, async t => {
    const source = [rawHeader({ name, size: 1_000_000_000 })]
    await refuses(t, { source, code: 'RESOURCE_EXHAUSTED', message: /1000000000 bytes/ })
  })
}

test('very many tiny entries end at a cap, and none is stored', async t => {
  let given = 0
  const source = (async function* () {
    for (; given < 10_000_000; given += 1000) {
      yield Buffer.concat(
        Array.from({ length: 1000 }, (_, at) => rawEntry({ name: `d${given + at}/`, flag: '5' })),
      )
    }
  })()
  await refuses(t, { source, code: 'RESOURCE_EXHAUSTED', message: /more than 200000 entries/ })
  t.true(given <= 201_000)
})

test('very many tiny files end at a cap that a caller sets', async t => {
  const many = Array.from({ length: 60 }, (_, at) => ({ name: `f${at}`, body: `${at}` }))
  const options = { maxEntries: 50 }
  await refuses(t, { source: many, code: 'RESOURCE_EXHAUSTED', message: /more than 50 entries/, options })
})

test('a stream of zeros is no archive, and soon done', async t => {
  let given = 0
  const source = (async function* () {
    for (; given < 64 * MiB; given += MiB) yield Buffer.alloc(MiB)
  })()
  await refuses(t, { source, code: 'INVALID_ARGUMENT', message: /neither oci-layout nor manifest\.json/ })
})

const tenGB = 10_000_000_000
/** As a blob, as a layer of docker save, and as a file that nobody wants. */
const bombPlaces = [pathOf(blob('x', 'x')), layerPath, 'blobs/junk']

for (const place of bombPlaces) {
  const head = rawHeader({ name: place.slice(0, 99), size: 8 ** 11 - 1 })
  const limits = { free: 8 * MiB, ratio: 100 }

  test(`a gzip bomb of 10 GB is stopped before it fills the disk: ${place.slice(0, 12)}`, async t => {
    const source = (async function* () {
      yield* gzipBomb({ head, zeros: tenGB })
    })()
    const expected = { code: 'RESOURCE_EXHAUSTED', message: /decompression bomb/, options: { limits } }
    const runtime = await refuses(t, { source, ...expected })
    t.true((await allocatedByDu(runtime.root)) < 16 * MiB)
  })

  test(`a zstd bomb of 10 GB is stopped before it fills the disk: ${place.slice(0, 12)}`, async t => {
    const bomb = zstdBomb({ head, zeros: tenGB })
    t.true(bomb.byteLength < 400_000)
    const source = inChunks(bomb, 1000)
    await refuses(t, {
      source,
      code: 'RESOURCE_EXHAUSTED',
      message: /decompression bomb/,
      options: { limits },
    })
  })
}

test('by default 256 MiB come out of 1 kB, and no more', async t => {
  const zeros = 300 * MiB
  const source = inChunks(zstdBomb({ head: rawHeader({ name: 'blobs/junk', size: zeros }), zeros }), 1000)
  await refuses(t, { source, code: 'RESOURCE_EXHAUSTED', message: /became more than 26\d{7}, refused/ })
})
