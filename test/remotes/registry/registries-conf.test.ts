import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type RegistriesConf, registriesConf } from '../../../src/remotes/registry/registries-conf.ts'
import { readRegistries } from '../../../src/remotes/registry/registries-files.ts'
import { readToml } from '../../../src/remotes/registry/toml.ts'
import { directoryWith } from '../../support/files.ts'

const read = (text: string) => readToml(text, '/etc/r.conf', registriesConf)

const reads = test.macro({
  exec: async (t, text: string, expected: Partial<RegistriesConf>) => {
    t.deepEqual(await read(text), { registries: [], aliases: new Map(), ...expected })
  },
  title: (_, text) => `registries.conf ${JSON.stringify(text)}`,
})

const usual = { insecure: false, blocked: false, mirrors: [] }

test(reads, '', {})
test(reads, 'unqualified-search-registries = ["a.test", "b.test:5000"]', {
  search: ['a.test', 'b.test:5000'],
})
test(reads, 'unqualified-search-registries = []', { search: [] })
test(reads, 'credential-helpers = ["containers-auth.json", "pass"]', {
  credentialHelpers: ['containers-auth.json', 'pass'],
})
test(reads, 'short-name-mode = "enforcing"', { shortNameMode: 'enforcing' })
test(reads, 'short-name-mode = ""', {})
test(reads, '[aliases]\n"a" = "b.test/c/a"\n"x/y" = "localhost/y"\n"gone" = ""', {
  aliases: new Map([
    ['a', 'b.test/c/a'],
    ['x/y', 'localhost/y'],
    ['gone', ''],
  ]),
})
test(reads, '[[registry]]\nlocation = "a.test/"', {
  registries: [{ ...usual, prefix: 'a.test', location: 'a.test' }],
})
test(reads, '[[registry]]\nprefix = "a.test/x"\nlocation = "b.test"\ninsecure = true\nblocked = true', {
  registries: [{ ...usual, prefix: 'a.test/x', location: 'b.test', insecure: true, blocked: true }],
})
test(reads, '[[registry]]\nprefix = "*.a.test"', {
  registries: [{ ...usual, prefix: '*.a.test', location: '' }],
})
test(
  reads,
  '[[registry]]\nlocation = "b.test"\n[[registry]]\nlocation = "a.test"\n[[registry]]\nprefix = "b.test"\nlocation = "c.test"',
  {
    registries: [
      { ...usual, prefix: 'a.test', location: 'a.test' },
      { ...usual, prefix: 'b.test', location: 'b.test' },
    ],
  },
)
const mirrored = (kinds: readonly string[]) => [
  {
    ...usual,
    prefix: 'a.test',
    location: 'a.test',
    mirrors: kinds.map((pullFrom, at) => ({ location: `m${at}.test`, insecure: at === 1, pullFrom })),
  },
]
test(
  reads,
  '[[registry]]\nlocation = "a.test"\n[[registry.mirror]]\nlocation = "m0.test/"\n[[registry.mirror]]\nlocation = "m1.test"\ninsecure = true\npull-from-mirror = "tag-only"',
  { registries: mirrored(['all', 'tag-only']) as RegistriesConf['registries'] },
)
test(
  reads,
  '[[registry]]\nlocation = "a.test"\nmirror-by-digest-only = true\nmirror = [{ location = "m0.test" }, { location = "m1.test", insecure = true }]',
  { registries: mirrored(['digest-only', 'digest-only']) as RegistriesConf['registries'] },
)
test(
  reads,
  '[registries.search]\nregistries = ["a.test/"]\n[registries.insecure]\nregistries = ["b.test", "c.test/x"]\n[registries.block]\nregistries = ["c.test/x"]',
  {
    search: ['a.test'],
    registries: [
      { ...usual, prefix: 'b.test', location: 'b.test', insecure: true },
      { ...usual, prefix: 'c.test/x', location: 'c.test/x', insecure: true, blocked: true },
    ],
  },
)

const refuses = test.macro({
  exec: async (t, text: string, message: RegExp) => {
    const error = await t.throwsAsync(read(text), { code: 'FAILED_PRECONDITION', message })
    t.true(error?.message.startsWith('/etc/r.conf'))
  },
  title: (_, text) => `registries.conf is refused: ${JSON.stringify(text)}`,
})

const registry = (rest: string): string => `[[registry]]\nlocation = "a.test"\n${rest}`

test(refuses, '[[registry]', /r\.conf:1:\d+: not TOML/)
test(refuses, '[registries.search]\nregistries = []\n[[registry]]\nlocation = "a"', /version 1 .* version 2/)
test(
  refuses,
  'unqualified-search-registries = []\n[registries.block]\nregistries = []',
  /version 1 .* version 2/,
)
test(refuses, '[[registry]]', /registry\[0\]: neither "prefix" nor "location"/)
test(refuses, '[[registry]]\nprefix = "a.test"', /registry\[0\]: "location" is missing/)
test(refuses, '[[registry]]\nlocation = "https://a.test"', /registry\[0\]\.location: .*leave out the scheme/)
test(refuses, '[[registry]]\nprefix = "http://a.test"\nlocation = "a.test"', /prefix: .*leave out the scheme/)
test(refuses, '[[registry]]\nprefix = "*.a.test/x"', /a wildcard is/)
test(refuses, '[[registry]]\nprefix = "*.a.test:5000"', /a wildcard is/)
test(refuses, '[[registry]]\nprefix = "*.a.test@x"', /a wildcard is/)
test(refuses, registry('insecure = "yes"'), /registry\[0\]\.insecure: expected true or false/)
test(refuses, registry('blocked = 1'), /registry\[0\]\.blocked: expected true or false/)
test(refuses, registry('pull-from-mirror = "all"'), /"pull-from-mirror" is for mirrors/)
test(
  refuses,
  registry('[[registry.mirror]]\ninsecure = true'),
  /registry\[0\]\.mirror\[0\]: "location" is missing/,
)
test(refuses, registry('[[registry.mirror]]\nlocation = "http://m.test"'), /mirror\[0\]\.location: .*scheme/)
test(
  refuses,
  registry('[[registry.mirror]]\nlocation = "m.test"\npull-from-mirror = "some"'),
  /"some" is none of all, digest-only, tag-only/,
)
test(
  refuses,
  registry(
    'mirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.test"\npull-from-mirror = "all"',
  ),
  /together with "mirror-by-digest-only"/,
)
test(refuses, `${registry('insecure = true')}\n${registry('prefix = "b.test"')}`, /defined more than once/)
test(refuses, `${registry('blocked = true')}\n${registry('prefix = "b.test"')}`, /defined more than once/)
test(refuses, 'unqualified-search-registries = ["a.test/x"]', /"a\.test\/x" is not a host/)
test(refuses, 'unqualified-search-registries = ["https://a.test"]', /is not a host/)
test(refuses, 'unqualified-search-registries = "a.test"', /expected an array/)
test(refuses, 'short-name-mode = "strict"', /"strict" is none of enforcing, permissive, disabled/)
test(refuses, '[aliases]\na = "b"', /aliases\."a": "b" is not a repository with its registry/)
test(refuses, '[aliases]\na = "b.test/c:v1"', /is not a repository with its registry/)
test(refuses, '[aliases]\n"a:v1" = "b.test/c"', /aliases\."a:v1": expected a name without registry/)
test(refuses, '[aliases]\n"a.test/b" = "b.test/c"', /expected a name without registry/)
test(refuses, '[aliases]\n"a:5000/b" = "b.test/c"', /expected a name without registry/)
test(refuses, '[aliases]\na = 1', /aliases\."a": expected a string/)

/** A home and a system directory with these files: `etc/…` and `home/…`. */
async function machine(t: ExecutionContext, files: Readonly<Record<string, string>>) {
  const root = await directoryWith(t, files)
  const env = { HOME: path.join(root, 'home') }
  return { root, options: { env, systemDirectory: path.join(root, 'etc') } }
}

const search = (host: string): string => `unqualified-search-registries = ["${host}"]`
const user = 'home/.config/containers'

const chooses = test.macro({
  exec: async (t, files: Readonly<Record<string, string>>, expected: readonly string[]) => {
    const { root, options } = await machine(t, files)
    const { files: found } = await readRegistries(options)
    t.deepEqual(
      found.map(file => path.relative(root, file)),
      expected,
    )
  },
  title: (_, files: Readonly<Record<string, string>>) =>
    `of ${Object.keys(files).join(', ') || 'nothing'} are read`,
})

test(chooses, {}, [])
test(chooses, { 'etc/registries.conf': '' }, ['etc/registries.conf'])
test(
  chooses,
  {
    'etc/registries.conf': '',
    'etc/registries.conf.d/b.conf': '',
    'etc/registries.conf.d/a.conf': '',
    'etc/registries.conf.d/c.txt': 'not read',
    'etc/registries.conf.d/d.conf/e.conf': 'not read',
    [`${user}/registries.conf.d/a.conf`]: '',
  },
  [
    'etc/registries.conf',
    'etc/registries.conf.d/a.conf',
    'etc/registries.conf.d/b.conf',
    `${user}/registries.conf.d/a.conf`,
  ],
)
test(
  chooses,
  {
    'etc/registries.conf': 'not read',
    'etc/registries.conf.d/a.conf': 'not read',
    [`${user}/registries.conf`]: '',
    [`${user}/registries.conf.d/b.conf`]: '',
  },
  [`${user}/registries.conf`, `${user}/registries.conf.d/b.conf`],
)
test(chooses, { 'etc/registries.conf.d/a.conf': '' }, ['etc/registries.conf.d/a.conf'])

test('XDG_CONFIG_HOME comes before ~/.config', async t => {
  const { root, options } = await machine(t, {
    'xdg/containers/registries.conf': '',
    [`${user}/registries.conf`]: 'not read',
  })
  const env = { ...options.env, XDG_CONFIG_HOME: path.join(root, 'xdg') }
  const { files } = await readRegistries({ ...options, env })
  t.deepEqual(files, [path.join(root, 'xdg/containers/registries.conf')])
})

test('CONTAINERS_REGISTRIES_CONF and an option name the main file, which must then be there', async t => {
  const { root, options } = await machine(t, {
    'one.conf': search('one.test'),
    'two.conf': search('two.test'),
    'etc/registries.conf': search('not.read'),
    'etc/registries.conf.d/a.conf': 'short-name-mode = "enforcing"',
  })
  const env = { ...options.env, CONTAINERS_REGISTRIES_CONF: path.join(root, 'one.conf') }
  t.like(await readRegistries({ ...options, env }), { search: ['one.test'], shortNameMode: 'enforcing' })
  const file = path.join(root, 'two.conf')
  t.like(await readRegistries({ ...options, env, file }), { search: ['two.test'] })
  const dropIns = path.join(root, 'none')
  t.deepEqual((await readRegistries({ ...options, file, dropIns })).files, [file])
  await t.throwsAsync(readRegistries({ ...options, file: path.join(root, 'three.conf') }), {
    code: 'NOT_FOUND',
    message: /three\.conf: no such file/,
  })
})

test('a drop-in replaces what it speaks of, and that as a whole', async t => {
  const { root, options } = await machine(t, {
    'etc/registries.conf': `${search('a.test')}
      credential-helpers = ["x"]
      short-name-mode = "disabled"
      [aliases]
      one = "a.test/one"
      two = "a.test/two"
      three = "a.test/three"
      [[registry]]
      location = "a.test"
      insecure = true
      [[registry]]
      location = "b.test"`,
    'etc/registries.conf.d/1.conf': `unqualified-search-registries = []
      [aliases]
      one = "b.test/one"
      two = ""
      [[registry]]
      location = "a.test"
      blocked = true`,
    'etc/registries.conf.d/2.conf': 'credential-helpers = ["y"]',
  })
  const etc = path.join(root, 'etc')
  t.deepEqual(await readRegistries(options), {
    search: [],
    shortNameMode: 'disabled',
    credentialHelpers: ['y'],
    aliases: new Map([
      ['one', 'b.test/one'],
      ['three', 'a.test/three'],
    ]),
    registries: [
      {
        ...usual,
        prefix: 'a.test',
        location: 'a.test',
        blocked: true,
        file: path.join(etc, 'registries.conf.d/1.conf'),
      },
      { ...usual, prefix: 'b.test', location: 'b.test', file: path.join(etc, 'registries.conf') },
    ],
    files: ['registries.conf', 'registries.conf.d/1.conf', 'registries.conf.d/2.conf'].map(name =>
      path.join(etc, name),
    ),
  })
})

test('without any file the answer is empty, with the defaults', async t => {
  const { options } = await machine(t, {})
  t.deepEqual(await readRegistries(options), {
    registries: [],
    search: [],
    shortNameMode: 'permissive',
    credentialHelpers: ['containers-auth.json'],
    aliases: new Map(),
    files: [],
  })
})

test('a file that is not valid is named, and a drop-in of version 1 is refused', async t => {
  const broken = await machine(t, { 'etc/registries.conf.d/b.conf': 'x' })
  await t.throwsAsync(readRegistries(broken.options), {
    code: 'FAILED_PRECONDITION',
    message: /etc\/registries\.conf\.d\/b\.conf:1:\d+: not TOML/,
  })
  const old = await machine(t, {
    'etc/registries.conf.d/b.conf': '[registries.block]\nregistries = ["a.test"]',
  })
  await t.throwsAsync(readRegistries(old.options), { message: /b\.conf: "registries" is of version 1/ })
  const huge = await machine(t, { 'etc/registries.conf': '#'.repeat(5 * 1024 * 1024) })
  await t.throwsAsync(readRegistries(huge.options), { code: 'FAILED_PRECONDITION', message: /longer than/ })
})
