import test from 'ava'
import { type DiffImagesOptions, diffImages } from '../../../src/runtime/files/diff.ts'
import { type Node, withExtra } from '../../support/image.ts'
import {
  directory,
  file,
  hardlink,
  imageOf,
  Metered,
  plainLayer,
  symlink,
  type TarLayer,
  tarLayer,
} from '../../support/layers.ts'
import { paxEntry, type RawEntry } from '../../support/tar.ts'

const diff = (a: Node, b: Node, options: DiffImagesOptions = {}) =>
  diffImages(
    { provider: new Metered(a), target: a.desc },
    { provider: new Metered(b), target: b.desc },
    options,
  )

/** `+ /a`, `- /b`, `~ /c content,size`. */
const lines = async (a: Node, b: Node, options?: DiffImagesOptions): Promise<readonly string[]> =>
  (await diff(a, b, options)).files.map(found => {
    if (found.change === 'changed') return `~ ${found.path} ${found.aspects}`
    return `${found.change === 'added' ? '+' : '-'} ${found.path}`
  })

const differs = test.macro({
  async exec(t, a: readonly TarLayer[], b: readonly TarLayer[], expected: readonly string[]) {
    t.deepEqual(await lines(imageOf(a), imageOf(b)), expected)
    const reversed = expected.map(line => line.replace(/^[+-]/, sign => (sign === '+' ? '-' : '+')))
    t.deepEqual(await lines(imageOf(b), imageOf(a)), reversed)
  },
  title: (title = '') => `diffImages(): ${title}`,
})

const base = tarLayer('etc/', file('etc/a', '1'), file('etc/b', '2'), 'tmp/', symlink('l', 'etc'))
test('no difference', differs, [base], [base], [])
test(
  'files of an added layer are added or changed',
  differs,
  [base],
  [base, tarLayer(file('etc/a', 'x'), file('new', ''))],
  ['~ /etc/a content', '+ /new'],
)
test(
  'what an added layer repeats is no difference',
  differs,
  [base],
  [base, tarLayer('etc/', file('etc/a', '1'))],
  [],
)
test('whiteouts remove', differs, [base], [base, tarLayer('etc/.wh.a', '.wh.tmp')], ['- /etc/a', '- /tmp'])
test(
  'opaque directories remove',
  differs,
  [base],
  [base, tarLayer('etc/.wh..wh..opq')],
  ['- /etc/a', '- /etc/b'],
)
test(
  'a file over a directory',
  differs,
  [base],
  [base, tarLayer(file('etc', ''))],
  ['~ /etc type', '- /etc/a', '- /etc/b'],
)
test(
  'two layers over the same ones',
  differs,
  [base, tarLayer('x', file('etc/a', 'x'))],
  [base, tarLayer('y', file('etc/a', 'y'))],
  ['~ /etc/a content', '- /x', '+ /y'],
)
test(
  'the same files in other layers and in another compression',
  differs,
  [tarLayer('a'), tarLayer('b', '.wh.c')],
  [plainLayer('b', 'a')],
  [],
)
test('layers that are shared but stand elsewhere', differs, [base, tarLayer('a')], [tarLayer('a'), base], [])

const changed = (a: RawEntry, b: RawEntry, expected: readonly string[]) =>
  [[tarLayer(a)], [tarLayer(b)], expected] as const
test('sizes', differs, ...changed(file('f', '1'), file('f', '12'), ['~ /f content,size']))
test('modes', differs, ...changed(file('f'), { ...file('f'), mode: '0000755\0' }, ['~ /f mode']))
test(
  'owners',
  differs,
  ...changed(file('f'), { ...file('f'), patch: block => block.write('0000005\0', 108) }, ['~ /f owner']),
)
test('types', differs, ...changed(file('f'), directory('f'), ['~ /f type']))
test('links', differs, ...changed(symlink('f', 'a'), symlink('f', 'b'), ['~ /f link']))
test(
  'capabilities',
  differs,
  [tarLayer(file('f'))],
  [tarLayer(paxEntry(['SCHILY.xattr.security.capability=x']), file('f'))],
  ['~ /f xattrs'],
)
test(
  'which of two names is the hard link is none',
  differs,
  [tarLayer(file('a', '1'), hardlink('b', 'a'))],
  [tarLayer(file('b', '1'), hardlink('a', 'b'))],
  [],
)
test(
  'a hard link to a file of a lower layer is that file',
  differs,
  [base, tarLayer(hardlink('h', 'etc/a'))],
  [base, tarLayer(file('h', '2'))],
  ['~ /h content'],
)
test(
  'a hard link to a file that is hidden since',
  differs,
  [tarLayer(file('a', '1')), tarLayer(hardlink('h', 'a')), tarLayer('.wh.a')],
  [tarLayer(file('h', '1'))],
  [],
)

test('diffImages(): times alone count when they are asked for', async t => {
  const at = (time: string): Node =>
    imageOf([tarLayer({ ...file('f'), patch: block => block.write(time, 136) })])
  const [a, b] = [at('00000000001\0'), at('00000000002\0')]
  t.deepEqual(await lines(a, b), [])
  t.deepEqual(await lines(a, b, { times: true }), ['~ /f modifiedAt'])
})

test('diffImages() reads no layer of two images that have the same ones, and shared ones once', async t => {
  const other = tarLayer('x')
  const images = [imageOf([base]), imageOf([base], { User: 'x' }), imageOf([base, other])]
  const store = new Metered(...images)
  const side = (at: number) => ({ provider: store, target: images[at]?.desc ?? base.node.desc })
  t.deepEqual((await diffImages(side(0), side(1))).files, [])
  t.false(store.taken.has(base.node.desc.digest))
  t.is((await diffImages(side(0), side(2))).sharedLayers, 1)
  t.is(store.taken.get(base.node.desc.digest), base.node.desc.size)
})

test('diffImages() tells what differs in the configs', async t => {
  const a = imageOf([], {
    Env: ['PATH=/bin', 'A=1=2', 'GONE='],
    Cmd: ['sh'],
    Entrypoint: null,
    User: '',
    Labels: { x: '1', same: 'y' },
    ExposedPorts: { '80/tcp': {} },
    Healthcheck: { Test: ['a'], Retries: 1 },
  })
  const b = imageOf([], {
    Env: ['A=1=3', 'PATH=/bin'],
    Cmd: ['sh', '-c'],
    WorkingDir: '/w',
    Labels: { same: 'y' },
    Volumes: { '/v': {} },
    Healthcheck: { Retries: 1, Test: ['a'] },
  })
  t.deepEqual((await diff(a, b)).config, [
    { field: 'WorkingDir', after: '/w' },
    { field: 'Cmd', before: ['sh'], after: ['sh', '-c'] },
    { field: 'Env', key: 'A', before: '1=2', after: '1=3' },
    { field: 'Env', key: 'GONE', before: '' },
    { field: 'Labels', key: 'x', before: '1' },
    { field: 'ExposedPorts', key: '80/tcp', before: {} },
    { field: 'Volumes', key: '/v', after: {} },
  ])
})

test('diffImages() keeps to its limits over both images', async t => {
  const [a, b] = [imageOf([tarLayer('a', 'b')]), imageOf([tarLayer('c', 'd')])]
  await t.throwsAsync(diff(a, b, { limits: { maxEntries: 3 } }), { code: 'RESOURCE_EXHAUSTED' })
  await t.notThrowsAsync(diff(a, withExtra(b, {}), { limits: { maxEntries: 4 } }))
})
