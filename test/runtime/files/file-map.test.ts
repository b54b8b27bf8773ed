import test from 'ava'
import { digestOf } from '../../../src/oci/digest.ts'
import { FileMap, interned } from '../../../src/runtime/files/file-map.ts'
import type { ImageFile } from '../../../src/runtime/files/types.ts'

const [lower, upper] = [0, 1].map(index => ({ index, digest: digestOf(`${index}`) }))
const plain = { type: 'file', mode: 0o644, uid: 0, gid: 0, size: 5, modifiedAt: 1.5 } as const
const layer = lower ?? { index: 0, digest: digestOf('') }

const files: readonly ImageFile[] = [
  { path: '/', ...plain, type: 'directory', size: 0, layer },
  { path: '/z/file', ...plain, size: 2 ** 40, content: digestOf('x'), layer },
  { path: '/a/link', ...plain, type: 'symlink', link: '../\udc80', uid: 2 ** 40, layer: upper ?? layer },
  { path: '/a/hard', ...plain, type: 'hardlink', link: '/z/file', layer },
  { path: '/a/disk', ...plain, type: 'block-device', device: [8, 1], mode: 0o7777, layer },
  { path: '/a/cap', ...plain, modifiedAt: -3, xattrs: { 'security.capability': 'x' }, layer },
]

test('FileMap gives files back as they came', t => {
  const map = new FileMap(interned())
  for (const file of files) map.set(file)
  for (const file of files) t.deepEqual(map.get(file.path), file)
  t.is(map.size, files.length)
  t.is(map.get('/z'), undefined)
  t.is(map.get('/nothing'), undefined)
  t.deepEqual(
    [...map.sorted()].map(({ path }) => path),
    ['/', '/a/cap', '/a/disk', '/a/hard', '/a/link', '/z/file'],
  )
})

test('FileMap has the last of two files of one path, and nothing of the first', t => {
  const map = new FileMap(interned())
  const path = '/same'
  for (const file of files) {
    map.set({ ...file, path })
    t.deepEqual(map.get(path), { ...file, path })
  }
  t.is(map.size, 1)
})

test('FileMaps that share their paths keep their files apart', t => {
  const names = interned()
  const [one, two] = [new FileMap(names), new FileMap(names)]
  one.set({ path: '/a', ...plain, layer })
  const at = names.paths.find('/a')
  t.true(one.has(at))
  t.false(two.has(at))
  t.is(two.at(at), undefined)
  t.is(two.typeAt(at), undefined)
})
