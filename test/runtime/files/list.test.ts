import test from 'ava'
import { digestOf } from '../../../src/oci/digest.ts'
import { mediaTypes } from '../../../src/oci/media-type.ts'
import { imageFiles, layerFiles } from '../../../src/runtime/files/list.ts'
import type { FileLimits } from '../../../src/runtime/files/types.ts'
import { zstdBomb } from '../../support/bombs.ts'
import { Blobs, blob, collect, type Node } from '../../support/image.ts'
import {
  directory,
  file,
  gzipLayer,
  hardlink,
  imageOf,
  imageWith,
  Metered,
  plainLayer,
  symlink,
  type TarLayer,
  tarLayer,
} from '../../support/layers.ts'
import { seededRandom } from '../../support/random.ts'
import { paxEntry, rawTar } from '../../support/tar.ts'

const list = async (image: Node, limits: FileLimits = {}) =>
  (await collect(imageFiles(new Blobs(image), image.desc, { limits }))).sort((a, b) =>
    a.path < b.path ? -1 : 1,
  )

/** Paths with the number of the layer that they come from. */
const shown = async (...layers: readonly TarLayer[]): Promise<readonly string[]> =>
  (await list(imageOf(layers))).map(({ path, layer }) => `${path} ${layer.index}`)

const merges = test.macro({
  async exec(t, layers: readonly TarLayer[], expected: readonly string[]) {
    t.deepEqual(await shown(...layers), expected)
  },
  title: (title = '') => `imageFiles(): ${title}`,
})

test(
  'layers lie on top of each other',
  merges,
  [tarLayer('a', 'b'), tarLayer('b', 'c')],
  ['/a 0', '/b 1', '/c 1'],
)
test(
  'a whiteout removes a file',
  merges,
  [tarLayer('d/', 'd/a', 'd/b'), tarLayer('d/.wh.a')],
  ['/d 0', '/d/b 0'],
)
test(
  'a whiteout removes a directory and all in it',
  merges,
  [tarLayer('d/', 'd/a', 'e'), tarLayer('.wh.d')],
  ['/e 0'],
)
test(
  'a whiteout leaves what its own layer has, wherever it stands in it',
  merges,
  [tarLayer('d/', 'd/a'), tarLayer('d/', 'd/b', '.wh.d')],
  ['/d 1', '/d/b 1'],
)
test('what was removed can come back', merges, [tarLayer('a'), tarLayer('.wh.a'), tarLayer('a')], ['/a 2'])
test(
  'an opaque directory hides what lower layers have in it, and nothing else',
  merges,
  [tarLayer('d/', 'd/a', 'd/e/f', 'x'), tarLayer('d/b', 'd/.wh..wh..opq')],
  ['/d 0', '/d/b 1', '/x 0'],
)
test('an opaque root ends the reading', merges, [imageBroken(), tarLayer('.wh..wh..opq', 'a')], ['/a 1'])
test(
  'a file over a directory hides all in it, even when a directory of a third layer hides the file',
  merges,
  [tarLayer('d/', 'd/a'), tarLayer('d'), tarLayer('d/', 'd/b')],
  ['/d 2', '/d/b 2'],
)
test(
  'a directory that is only known by its files replaces a link below it',
  merges,
  [tarLayer('usr/lib/', symlink('lib', 'usr/lib')), tarLayer('lib/a')],
  ['/lib/a 1', '/usr/lib 0'],
)
test(
  'names are one however they are written',
  merges,
  [tarLayer('./a', 'b/', 'c//d'), tarLayer('/a', './b/', 'c/./d'), tarLayer('./.wh.b')],
  ['/a 1', '/c/d 1'],
)
test(
  'the bookkeeping of aufs is passed over',
  merges,
  [tarLayer('.wh..wh.aufs', '.wh..wh.plnk/', '.wh..wh.plnk/1.2', 'd/.wh..wh.orph/x', 'a')],
  ['/a 0'],
)
test('of a name that is there twice the last counts', merges, [tarLayer('a/', 'a')], ['/a 0'])

/** A layer that cannot be read. */
function imageBroken(): TarLayer {
  const bytes = Buffer.from('no tar')
  return { node: blob(mediaTypes.ociLayer, bytes), diffId: digestOf(bytes) }
}

test('imageFiles() tells all that the tar does', async t => {
  const image = imageOf([
    tarLayer(
      directory('./'),
      paxEntry(['SCHILY.xattr.user.a=1', 'mtime=1.5']),
      { name: 'f', body: 'four', mode: '0104755\0' },
      symlink('s', '../f'),
      hardlink('h', './f'),
      {
        name: 'c',
        flag: '3',
        patch: block => {
          block.write('0000001\0', 329)
          block.write('0000003\0', 337)
        },
      },
      { name: 'p', flag: '6' },
    ),
  ])
  const files = await list(image)
  const layer = { index: 0, digest: image.below[1]?.desc.digest }
  const base = { mode: 0o644, uid: 0, gid: 0, size: 0, modifiedAt: 0, layer }
  t.deepEqual<unknown, unknown>(files, [
    { ...base, path: '/', type: 'directory', mode: 0o755 },
    { ...base, path: '/c', type: 'character-device', device: [1, 3] },
    { ...base, path: '/f', type: 'file', mode: 0o4755, size: 4, modifiedAt: 1.5, xattrs: { 'user.a': '1' } },
    { ...base, path: '/h', type: 'hardlink', link: '/f' },
    { ...base, path: '/p', type: 'fifo' },
    { ...base, path: '/s', type: 'symlink', link: '../f' },
  ])
})

test('imageFiles() reads plain, gzip and zstd layers by their bytes', async t => {
  const tar = rawTar(file('z'))
  const zeros = Buffer.alloc(128 * 1024)
  const zstd = {
    node: blob(mediaTypes.ociLayerZstd, zstdBomb({ head: tar, zeros: zeros.byteLength })),
    diffId: digestOf(Buffer.concat([tar, zeros])),
  }
  t.deepEqual(await shown(plainLayer('p'), tarLayer('g'), zstd), ['/g 1', '/p 0', '/z 2'])
})

const fails = test.macro({
  async exec(t, image: Node, code: string, message: RegExp, limits?: FileLimits) {
    await t.throwsAsync(list(image, limits), { code, message })
  },
  title: (title = '') => `imageFiles() refuses ${title}`,
})

const one = tarLayer('a')
const { digest } = one.node.desc
const other = digestOf('other')
test(
  'a layer that is another one, with both digests',
  fails,
  imageWith([one], [other]),
  'DATA_LOSS',
  new RegExp(`^layer ${digest}: .*${one.diffId}.*${other}`),
)
test(
  'diff ids that are not as many',
  fails,
  imageWith([one], [other, other]),
  'INVALID_ARGUMENT',
  /names 2 layers, its manifest 1/,
)
test(
  'names that lead out',
  fails,
  imageOf([tarLayer('a/../../b')]),
  'INVALID_ARGUMENT',
  /layer .* entry "a\/..\/..\/b": a name with a part ".."/,
)
for (const name of ['.wh.', 'a/.wh..', '.wh...'])
  test(`the whiteout ${name}`, fails, imageOf([tarLayer(name)]), 'INVALID_ARGUMENT', /a whiteout of "/)
test(
  'a root that is a link',
  fails,
  imageOf([tarLayer(symlink('./', 'a'))]),
  'INVALID_ARGUMENT',
  /its root is a symlink/,
)
test(
  'what is no tar',
  fails,
  imageOf([gzipLayer(Buffer.from('hello'))]),
  'INVALID_ARGUMENT',
  /layer .*: not a tar/,
)
test(
  'bytes behind the compressed stream',
  fails,
  (() => {
    const bytes = Buffer.concat([one.node.bytes, Buffer.alloc(300_000, 'x')])
    return imageOf([{ node: blob(mediaTypes.ociLayerGzip, bytes), diffId: one.diffId }])
  })(),
  'DATA_LOSS',
  /layer .*: (?:cannot be decompressed|has bytes after)/,
)
test(
  'an encrypted layer',
  fails,
  imageOf([{ ...one, node: blob(`${mediaTypes.ociLayerGzip}+encrypted`, 'x') }]),
  'UNIMPLEMENTED',
  /is encrypted/,
)
test(
  'more entries than the limit, of all layers',
  fails,
  imageOf([tarLayer('a', 'b'), tarLayer('c', '.wh.d')]),
  'RESOURCE_EXHAUSTED',
  /more than 3 entries; raise the limit maxEntries/,
  { maxEntries: 3 },
)
test(
  'more directories than the limit, though none is an entry',
  fails,
  imageOf([tarLayer('a/b/c/d')]),
  'RESOURCE_EXHAUSTED',
  /more than 3 entries/,
  { maxEntries: 3 },
)
test(
  'more bytes of names',
  fails,
  imageOf([tarLayer('abcdefgh')]),
  'RESOURCE_EXHAUSTED',
  /names have more than 8 bytes/,
  { maxNameBytes: 8 },
)
test(
  'more bytes than allowed',
  fails,
  imageOf([tarLayer(file('a', 'x'.repeat(9000)))]),
  'RESOURCE_EXHAUSTED',
  /more than 9000 bytes/,
  { maxBytes: 9000 },
)

test('imageFiles() refuses a layer whose bytes were changed', async t => {
  const layer = plainLayer(file('a', 'text'))
  const image = imageOf([layer])
  const bytes = Buffer.from(layer.node.bytes)
  bytes.write('TEXT', 512)
  const store = new Blobs(image).damage(layer.node, bytes)
  await t.throwsAsync(collect(imageFiles(store, image.desc)), {
    code: 'DATA_LOSS',
    message: new RegExp(`${layer.node.desc.digest}.*${digestOf(bytes)}`),
  })
})

test('imageFiles(): leaving the loop leaves the layers below unread', async t => {
  const layers = [tarLayer('a'), tarLayer('b')]
  const image = imageOf(layers)
  const store = new Metered(image)
  for await (const { path } of imageFiles(store, image.desc)) {
    t.is(path, '/b')
    break
  }
  t.deepEqual(
    layers.map(({ node }) => store.taken.has(node.desc.digest)),
    [false, true],
  )
  t.is(store.open, 0)
})

test('imageFiles() stops for its signal', async t => {
  const image = imageOf([one])
  const signal = AbortSignal.abort(new Error('enough'))
  await t.throwsAsync(collect(imageFiles(new Blobs(image), image.desc, { signal })), { message: 'enough' })
})

test('layerFiles() gives what each layer has, with its marks, in the order of the tar', async t => {
  const image = imageOf([tarLayer('b', 'a'), tarLayer('.wh.b', 'd/.wh..wh..opq', 'c')])
  const found = await collect(layerFiles(new Blobs(image), image.desc, { limits: { maxBytes: 10_000 } }))
  t.deepEqual(
    found.map(({ layer: { index }, type, path }) => `${index} ${type} ${path}`),
    ['0 file /b', '0 file /a', '1 whiteout /b', '1 opaque /d', '1 file /c'],
  )
})

/** Applies layers as the specification tells it: from the bottom up, on a tree. */
function unpacked(layers: ReadonlyArray<readonly string[]>): readonly string[] {
  const tree = new Map<string, string>()
  const remove = (path: string): void => {
    for (const known of [...tree.keys()])
      if (known === path || known.startsWith(`${path}/`)) tree.delete(known)
  }
  for (const [index, layer] of layers.entries()) {
    const marks = layer.filter(name => name.includes('.wh.'))
    for (const name of marks) {
      const path = `/${name}`.replace('/.wh..wh..opq', '')
      if (path === `/${name}`) remove(path.replace('.wh.', ''))
      else for (const known of [...tree.keys()]) if (known.startsWith(`${path}/`)) tree.delete(known)
    }
    for (const name of layer.filter(each => !marks.includes(each))) {
      const path = `/${name.replace(/\/$/, '')}`
      const parts = path.split('/')
      for (let at = 2; at < parts.length; at++) {
        const parent = parts.slice(0, at).join('/')
        if (tree.get(parent)?.startsWith('file')) tree.delete(parent)
      }
      if (!name.endsWith('/')) remove(path)
      tree.set(path, `${name.endsWith('/') ? 'directory' : 'file'} ${index}`)
    }
  }
  return [...tree].map(([path, what]) => `${path} ${what}`).sort()
}

test('imageFiles() shows what unpacking from the bottom up would leave, for 300 images', async t => {
  const random = seededRandom(6)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  for (let round = 0; round < 300; round++) {
    const layers = Array.from({ length: 1 + Math.floor(random() * 4) }, () => {
      const paths = new Map<string, string>()
      for (let left = Math.floor(random() * 6); left > 0; left--) {
        const path = Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(['a', 'b'])).join('/')
        const isInFile = [...paths].some(
          ([known, name]) => path.startsWith(`${known}/`) && !name.endsWith('/'),
        )
        const hasBelow = [...paths.keys()].some(known => known.startsWith(`${path}/`))
        if (!isInFile) paths.set(path, hasBelow || random() < 0.4 ? `${path}/` : path)
      }
      const names = [...paths.values()]
      if (random() < 0.4)
        names.push(pick(['.wh.a', 'a/.wh.b', 'a/b/.wh.a', 'b/.wh..wh..opq', 'a/.wh..wh..opq']))
      return names
    })
    const image = imageOf(layers.map(names => plainLayer(...names)))
    const found = (await list(image)).map(({ path, type, layer }) => `${path} ${type} ${layer.index}`)
    t.deepEqual(found, unpacked(layers), JSON.stringify(layers))
  }
})
