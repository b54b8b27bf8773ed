import test from 'ava'
import { entryPath, linkTarget } from '../../src/archive/entry-path.ts'
import { readTar } from '../../src/archive/tar.ts'
import type { TarHeader } from '../../src/archive/types.ts'
import { collect } from '../support/image.ts'
import { inChunks, rawTar } from '../support/tar.ts'

const isPath = test.macro<[string, string]>({
  exec: (t, name, expected) => t.is(entryPath(name, 'x.tar'), expected),
  title: (_, name) => `entryPath() makes a path of ${JSON.stringify(name)}`,
})

test(isPath, 'index.json', 'index.json')
test(isPath, './index.json', 'index.json')
test(isPath, 'blobs//sha256/./a', 'blobs/sha256/a')
test(isPath, 'blobs/', 'blobs')
test(isPath, './', '.')
test(isPath, '..a/b..', '..a/b..')

const isRefused = test.macro<[string, RegExp]>({
  exec(t, name, message) {
    t.throws(() => entryPath(name, 'x.tar'), { code: 'INVALID_ARGUMENT', message })
  },
  title: (_, name) => `entryPath() refuses ${JSON.stringify(name)}`,
})

test(isRefused, '..', /^x\.tar: entry "\.\.": .*leads out/)
test(isRefused, '../etc/passwd', /leads out/)
test(isRefused, 'blobs/../../etc/passwd', /leads out/)
test(isRefused, 'a/..', /leads out/)
test(isRefused, '/etc/passwd', /absolute/)
test(isRefused, 'a\u001b[2J', /control/)
test(isRefused, 'a\udcff', /control/)

const header = async (name: string, flag: string, linkName: string): Promise<TarHeader> => {
  const [entry] = await collect(readTar(inChunks(rawTar({ name, flag, linkName }))))
  if (entry === undefined) throw new Error('no entry')
  return entry
}

test('linkTarget() reads a symbolic link from its directory and a hard one from the top', async t => {
  t.is(linkTarget(await header('a/layer.tar', '2', '../b/layer.tar'), 'x'), 'b/layer.tar')
  t.is(linkTarget(await header('a/b', '1', 'c/d'), 'x'), 'c/d')
  t.is(linkTarget(await header('./a/b', '1', './c/'), 'x'), 'c')
})

for (const [flag, name, linkName] of [
  ['2', 'a', '../b'],
  ['2', 'a', '/etc/passwd'],
  ['2', 'a/b', '../../..'],
  ['1', 'a/b', '../c'],
  ['1', 'a', '/c'],
  ['2', 'a', 'b\u0007'],
] as const) {
  test(`linkTarget() refuses a link of kind ${flag} from ${name} to ${JSON.stringify(linkName)}`, async t => {
    const link = await header(name, flag, linkName)
    t.throws(() => linkTarget(link, 'x'), { code: 'INVALID_ARGUMENT', message: /leads out/ })
  })
}
