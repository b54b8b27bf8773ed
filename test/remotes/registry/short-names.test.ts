import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import type { ShortNameMode } from '../../../src/remotes/registry/registries-conf.ts'
import { shortNameOf } from '../../../src/remotes/registry/short-name.ts'
import { aliasesFile, readAliases, recordAlias } from '../../../src/remotes/registry/short-name-aliases.ts'
import { localNames, resolveShortName } from '../../../src/remotes/registry/short-names.ts'
import { directoryWith } from '../../support/files.ts'

const digest = `sha256:${'a'.repeat(64)}`

const shorts = test.macro({
  exec(t, text: string, repository: string | undefined) {
    t.is(shortNameOf(text)?.repository, repository)
  },
  title: (_, text, repository) => `${text} is ${repository === undefined ? 'no short name' : 'a short name'}`,
})

test(shorts, 'busybox', 'busybox')
test(shorts, 'busybox:1.2', 'busybox')
test(shorts, `busybox@${digest}`, 'busybox')
test(shorts, 'library/busybox', 'library/busybox')
test(shorts, 'team/tool/x:v1', 'team/tool/x')
test(shorts, 'localhost/x', undefined)
test(shorts, 'localhost:5000/x', undefined)
test(shorts, 'a.test/x', undefined)
test(shorts, 'docker.io/busybox', undefined)
test(shorts, 'a:5000/x', undefined)

const registries = (search: readonly string[], shortNameMode: ShortNameMode = 'permissive') => ({
  search,
  shortNameMode,
  aliases: new Map([
    ['known', 'a.test/team/known'],
    ['hub', 'docker.io/library/hub'],
  ]),
  files: ['/etc/r.conf'],
})

const resolves = test.macro<[string, readonly string[], ...string[]]>({
  exec: async (t, name, search, ...expected) => {
    for (const mode of ['permissive', 'disabled'] as const)
      t.deepEqual(
        (await resolveShortName(name, { registries: registries(search, mode) })).candidates,
        expected,
      )
  },
  title: (_, name: string, search: readonly string[]) =>
    `${name} with ${search.join(', ') || 'nothing'} to search`,
})

test(resolves, 'a.test/x', [], 'a.test/x:latest')
test(resolves, `a.test/x:v1@${digest}`, ['b.test'], `a.test/x:v1@${digest}`)
test(resolves, 'known', [], 'a.test/team/known:latest')
test(resolves, 'known:v1', ['b.test', 'c.test'], 'a.test/team/known:v1')
test(resolves, `known@${digest}`, [], `a.test/team/known@${digest}`)
test(resolves, `known:v1@${digest}`, [], `a.test/team/known@${digest}`)
test(resolves, 'hub', [], 'docker.io/library/hub:latest')
test(resolves, 'x', ['b.test'], 'b.test/x:latest')
test(
  resolves,
  'x:v1',
  ['b.test', 'docker.io', 'c.test:5000'],
  'b.test/x:v1',
  'docker.io/library/x:v1',
  'c.test:5000/x:v1',
)
test(resolves, 'team/x', ['docker.io'], 'docker.io/team/x:latest')

test('without alias and registries a short name is an error, or of the fallback', async t => {
  const code = 'FAILED_PRECONDITION'
  await t.throwsAsync(resolveShortName('x', { registries: registries([]) }), {
    code,
    message:
      'short-name "x" did not resolve to an alias and no unqualified-search registries are defined in "/etc/r.conf"',
  })
  await t.throwsAsync(resolveShortName('x', { registries: { ...registries([]), files: [] } }), {
    code,
    message: 'short-name "x" did not resolve to an alias and no containers-registries.conf(5) was found',
  })
  const { candidates } = await resolveShortName('x', { registries: registries([]), fallback: 'docker.io' })
  t.deepEqual(candidates, ['docker.io/library/x:latest'])
  const searched = await resolveShortName('x', { registries: registries(['b.test']), fallback: 'docker.io' })
  t.deepEqual(searched.candidates, ['b.test/x:latest'])
})

test('enforcing wants a person to choose, unless an alias or a single registry decides', async t => {
  const enforcing = (search: readonly string[]) => ({ registries: registries(search, 'enforcing') })
  await t.throwsAsync(resolveShortName('x', enforcing(['b.test', 'c.test'])), {
    code: 'FAILED_PRECONDITION',
    message: /short-name resolution enforced but cannot prompt without a TTY/,
  })
  t.deepEqual((await resolveShortName('known', enforcing(['b.test', 'c.test']))).candidates, [
    'a.test/team/known:latest',
  ])
  t.deepEqual((await resolveShortName('x', enforcing(['b.test']))).candidates, ['b.test/x:latest'])
  const mode = { ...enforcing(['b.test', 'c.test']), mode: 'permissive' } as const
  t.is((await resolveShortName('x', mode)).candidates.length, 2)
})

test('a person is asked where several registries may be meant, and what they choose is to be recorded', async t => {
  const asked: unknown[] = []
  const choose = async (name: string, candidates: readonly string[]) => {
    asked.push([name, ...candidates])
    return candidates[1] ?? ''
  }
  for (const mode of ['permissive', 'enforcing'] as const)
    t.like(
      await resolveShortName('x:v1', { registries: registries(['b.test', 'docker.io'], mode), choose }),
      {
        candidates: ['docker.io/library/x:v1'],
        choice: { name: 'x', repository: 'docker.io/library/x' },
      },
    )
  t.deepEqual(asked, [
    ['x:v1', 'b.test/x:v1', 'docker.io/library/x:v1'],
    ['x:v1', 'b.test/x:v1', 'docker.io/library/x:v1'],
  ])
  for (const name of ['known', 'a.test/x'])
    t.is(
      (await resolveShortName(name, { registries: registries(['b.test', 'c.test']), choose })).choice,
      undefined,
    )
  const silent = await resolveShortName('x', {
    registries: registries(['b.test', 'c.test'], 'disabled'),
    choose,
  })
  t.is(silent.candidates.length, 2)
  t.is(asked.length, 2)
})

test('what was chosen before comes before the aliases of registries.conf', async t => {
  const chosen = new Map([
    ['known', 'z.test/known'],
    ['hub', ''],
  ])
  t.deepEqual((await resolveShortName('known', { registries: registries([]), chosen })).candidates, [
    'z.test/known:latest',
  ])
  t.deepEqual((await resolveShortName('hub', { registries: registries([]), chosen })).candidates, [
    'docker.io/library/hub:latest',
  ])
})

const locals = test.macro({
  exec(t, name: string, ...expected: readonly string[]) {
    t.deepEqual(localNames(name, { registries: registries(['b.test', 'docker.io']) }), expected)
  },
  title: (_, name) => `${name} is looked for here`,
})

test(locals, 'a.test/x:v1', 'a.test/x:v1')
test(locals, 'x', 'localhost/x:latest', 'b.test/x:latest', 'docker.io/library/x:latest')
test(
  locals,
  'known:v1',
  'a.test/team/known:v1',
  'localhost/known:v1',
  'b.test/known:v1',
  'docker.io/library/known:v1',
)

test('choices are recorded in the file of aliases, beside those that are there', async t => {
  const file = path.join(await directoryWith(t, {}), 'deep/short-name-aliases.conf')
  t.deepEqual(await readAliases(file), new Map())
  await Promise.all([
    recordAlias(file, { name: 'x', repository: 'a.test/x' }),
    recordAlias(file, { name: 'y/z', repository: 'b.test/y/z' }),
  ])
  await recordAlias(file, { name: 'x', repository: 'c.test/x' })
  t.deepEqual(
    await readAliases(file),
    new Map([
      ['x', 'c.test/x'],
      ['y/z', 'b.test/y/z'],
    ]),
  )
  t.is((await fs.stat(file)).mode & 0o777, 0o600)
  t.deepEqual(await fs.readdir(path.dirname(file)), ['short-name-aliases.conf'])
})

test('a file of aliases that is not valid is not written over', async t => {
  const file = path.join(await directoryWith(t, { 'a.conf': '[aliases' }), 'a.conf')
  await t.throwsAsync(recordAlias(file, { name: 'x', repository: 'a.test/x' }), {
    code: 'FAILED_PRECONDITION',
  })
  t.is(await fs.readFile(file, 'utf8'), '[aliases')
})

test('the file of aliases lies in the cache', t => {
  const root = process.getuid?.() === 0
  const expected = root ? '/var/cache' : '/home/me/.cache'
  t.is(aliasesFile({ HOME: '/home/me' }), `${expected}/containers/short-name-aliases.conf`)
})
