import test from 'ava'
import { digestOf } from '../../../src/oci/digest.ts'
import { imageFile } from '../../../src/runtime/files/find.ts'
import { collect, type Node } from '../../support/image.ts'
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
import { rawTar } from '../../support/tar.ts'

const cat = async (image: Node, path: string, verify = false) => {
  await using found = await imageFile(new Metered(image), image.desc, path, { verify })
  const text = Buffer.concat(await collect(found.body)).toString()
  return `${found.file.path} ${found.file.layer.index} ${text}`
}

const finds = test.macro({
  async exec(t, path: string, layers: readonly TarLayer[], expected: string) {
    t.is(await cat(imageOf(layers), path), expected)
  },
  title: (title = '') => `imageFile() finds ${title}`,
})

test(
  'the file of the highest layer',
  finds,
  'etc/a',
  [tarLayer(file('etc/a', '1')), tarLayer(file('etc/a', '2'))],
  '/etc/a 1 2',
)
test('a file of a lower layer', finds, '/a', [tarLayer(file('a', '1')), tarLayer('b')], '/a 0 1')
test('an empty file', finds, './a/', [tarLayer(file('a', ''))], '/a 0 ')
test('a relative link', finds, '/d/e/l', [tarLayer(file('d/f', '1'), symlink('d/e/l', '../f'))], '/d/f 0 1')
test('an absolute link', finds, 'd/l', [tarLayer(symlink('d/l', '/f')), tarLayer(file('f', '1'))], '/f 1 1')
test(
  'a link that would lead out',
  finds,
  'l',
  [tarLayer(file('f', '1'), symlink('l', '../../../f'))],
  '/f 0 1',
)
test(
  'what lies behind links in its parents, in the layer that was read already',
  finds,
  '/bin/x/f',
  [tarLayer(symlink('usr/bin/x', '../y')), tarLayer(file('usr/y/f', '1'), symlink('bin', 'usr/bin'))],
  '/usr/y/f 1 1',
)
test(
  'a link that an upper layer changed',
  finds,
  'l',
  [tarLayer(file('a', '1'), file('b', '2'), symlink('l', 'a')), tarLayer(symlink('l', 'b'))],
  '/b 0 2',
)
test('a hard link', finds, 'h', [tarLayer(file('f', '1'), hardlink('h', './f'))], '/f 0 1')
test(
  'a hard link to what an upper layer removed or changed',
  finds,
  'h',
  [tarLayer(file('f', '1')), tarLayer(hardlink('h', 'f')), tarLayer(file('f', '2')), tarLayer('.wh.f')],
  '/f 0 1',
)
test(
  'what its own layer has beside the whiteout',
  finds,
  'd/f',
  [tarLayer(file('d/f', '1')), tarLayer(directory('.wh.d'), file('d/f', '2'))],
  '/d/f 1 2',
)
test(
  'a file below an opaque directory of a layer below',
  finds,
  'd/f',
  [tarLayer('d/.wh..wh..opq', file('d/f', '1')), tarLayer('d/g')],
  '/d/f 0 1',
)

const misses = test.macro({
  async exec(t, path: string, layers: readonly TarLayer[], code: string, message: RegExp) {
    await t.throwsAsync(cat(imageOf(layers), path), { code, message })
  },
  title: (title = '') => `imageFile() fails for ${title}`,
})

const base = tarLayer('etc/ssl/certs/', 'etc/passwd')
test(
  'a file that is not there, and names its nearest parent',
  misses,
  'etc/ssl/x/y',
  [base],
  'NOT_FOUND',
  /^"\/etc\/ssl\/x\/y": not in the image; "\/etc\/ssl" is the nearest directory/,
)
test('a file below a file', misses, 'etc/passwd/x', [base], 'NOT_FOUND', /"\/etc\/passwd" is a file/)
test(
  'a file that was removed',
  misses,
  'etc/passwd',
  [base, tarLayer('etc/', 'etc/.wh.passwd')],
  'NOT_FOUND',
  /"\/etc" is the nearest/,
)
test(
  'a file whose directory was removed',
  misses,
  'etc/passwd',
  [base, tarLayer('.wh.etc')],
  'NOT_FOUND',
  /"\/" is the nearest/,
)
test(
  'a file that an opaque directory hides',
  misses,
  'etc/passwd',
  [base, tarLayer('etc/.wh..wh..opq')],
  'NOT_FOUND',
  /not in the image/,
)
test(
  'a file behind a link that a directory replaced',
  misses,
  'lib/f',
  [tarLayer('usr/f', symlink('lib', 'usr')), tarLayer('lib/g')],
  'NOT_FOUND',
  /"\/lib" is the nearest/,
)
test(
  'a link to nothing',
  misses,
  'l',
  [tarLayer(symlink('l', 'x'))],
  'NOT_FOUND',
  /^"\/l": its link leads to "\/x"/,
)
test(
  'a directory',
  misses,
  'etc/ssl',
  [base],
  'INVALID_ARGUMENT',
  /^"\/etc\/ssl": is a directory, not a file/,
)
test('a directory that only its files show', misses, 'etc', [base], 'INVALID_ARGUMENT', /is a directory/)
test('the root', misses, '/', [base], 'INVALID_ARGUMENT', /is a directory/)
test(
  'a device',
  misses,
  'c',
  [tarLayer({ name: 'c', flag: '3' })],
  'INVALID_ARGUMENT',
  /is a character-device/,
)
test(
  'a path that leads out',
  misses,
  '../etc',
  [base],
  'INVALID_ARGUMENT',
  /^path "\.\.\/etc": a name with a part/,
)
test(
  'links that go round',
  misses,
  'a',
  [tarLayer(symlink('a', 'b'), symlink('b', 'a'))],
  'INVALID_ARGUMENT',
  /more than 40 links/,
)
test(
  'links that grow',
  misses,
  'a',
  [tarLayer(symlink('a', 'a/a'))],
  'INVALID_ARGUMENT',
  /more than 40 links/,
)
test(
  'hard links that go round',
  misses,
  'a',
  [tarLayer(hardlink('a', 'b'), hardlink('b', 'a'))],
  'INVALID_ARGUMENT',
  /more than 40 links/,
)

const random = seededRandom(1)
const noise = Buffer.from(Array.from({ length: 400_000 }, () => Math.floor(random() * 256)))

for (const [kind, make] of [
  ['gzip', tarLayer],
  ['plain', plainLayer],
] as const)
  test(`imageFile() reads a layer in ${kind} no further than the file, and none below`, async t => {
    const top = make(file('f', 'text'), { name: 'noise', body: noise })
    const below = make('f')
    const image = imageOf([below, top])
    const store = new Metered(image)
    await using found = await imageFile(store, image.desc, 'f')
    t.is(Buffer.concat(await collect(found.body)).toString(), 'text')
    t.true((store.taken.get(top.node.desc.digest) ?? 0) < top.node.desc.size / 2)
    t.false(store.taken.has(below.node.desc.digest))
    t.is(store.open, 0)
  })

test('imageFile(): what is not read is closed when it is disposed of', async t => {
  const image = imageOf([tarLayer('f', { name: 'noise', body: noise })])
  const store = new Metered(image)
  const found = await imageFile(store, image.desc, 'f')
  await found[Symbol.asyncDispose]()
  t.is(store.open, 0)
})

test('imageFile() with verify fails in the end for a layer that is another one', async t => {
  const image = imageWith([tarLayer(file('f', 'text'))], [digestOf('other')])
  t.is(await cat(image, 'f'), '/f 0 text')
  await t.throwsAsync(cat(image, 'f', true), { code: 'DATA_LOSS', message: /its config says/ })
})

test('imageFile() with verify fails in the end when the layer has the file twice', async t => {
  const image = imageOf([gzipLayer(rawTar(file('f', '1'), file('f', '2')))])
  t.is(await cat(image, 'f'), '/f 0 1')
  await t.throwsAsync(cat(image, 'f', true), { code: 'INVALID_ARGUMENT', message: /has "\/f" twice/ })
})
