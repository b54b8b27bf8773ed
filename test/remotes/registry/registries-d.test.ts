import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parseReference } from '../../../src/oci/reference.ts'
import { loadRegistriesD, signaturePlaces } from '../../../src/remotes/registry/registries-d.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

const builtIn = 'file:///built/in'

const load = async (t: ExecutionContext, files: Readonly<Record<string, string>>) => {
  const directory = await temporaryDirectory(t)
  for (const [name, text] of Object.entries(files)) await fs.writeFile(path.join(directory, name), text)
  return { directory, config: await loadRegistriesD({ directory }) }
}

const placesOf = test.macro<
  [what: string, yaml: string, name: string, lookaside: string, staging: string, attachments: boolean]
>({
  async exec(t, _what, yaml, name, lookaside, staging, attachments) {
    const { config } = await load(t, { 'a.yaml': yaml })
    const places = signaturePlaces(config, parseReference(name), builtIn)
    t.deepEqual(
      { lookaside: places.lookaside.href, staging: places.staging.href, attachments: places.attachments },
      { lookaside, staging, attachments },
    )
  },
  title: (_, what) => `signaturePlaces(): ${what}`,
})

test(placesOf, 'nothing configured', '', 'q.io/a:1', builtIn, builtIn, false)
test(placesOf, 'only a comment', '# nothing\n', 'q.io/a:1', builtIn, builtIn, false)
test(placesOf, 'a default that is empty', 'default-docker:\n', 'q.io/a:1', builtIn, builtIn, false)
test(
  placesOf,
  'the default',
  'default-docker:\n  lookaside: https://look.io/x\n  use-sigstore-attachments: true\n',
  'q.io/a:1',
  'https://look.io/x',
  'https://look.io/x',
  true,
)
test(
  placesOf,
  'a place to write to beside the one to read',
  'default-docker:\n  lookaside: https://look.io/x\n  lookaside-staging: file:///w\n',
  'q.io/a:1',
  'https://look.io/x',
  'file:///w',
  false,
)
test(
  placesOf,
  'only a place to write to',
  'default-docker:\n  lookaside-staging: file:///w\n',
  'q.io/a:1',
  builtIn,
  'file:///w',
  false,
)
test(
  placesOf,
  'the older keys',
  'default-docker:\n  sigstore: file:///r\n  sigstore-staging: file:///w\n',
  'q.io/a:1',
  'file:///r',
  'file:///w',
  false,
)
test(
  placesOf,
  'the newer keys before the older',
  'default-docker:\n  sigstore: file:///or\n  lookaside: file:///r\n  sigstore-staging: file:///ow\n  lookaside-staging: file:///w\n',
  'q.io/a:1',
  'file:///r',
  'file:///w',
  false,
)
test(
  placesOf,
  'the older key where the newer is empty',
  'default-docker:\n  sigstore: file:///or\n  lookaside: ""\n',
  'q.io/a:1',
  'file:///or',
  'file:///or',
  false,
)
const nested = `
default-docker:
  lookaside: file:///default
  use-sigstore-attachments: true
docker:
  "*.io":
    lookaside: file:///wildcard
  q.io:
    lookaside-staging: file:///host
  q.io/team:
    use-sigstore-attachments: false
  q.io/team/app:
    lookaside: file:///app
  q.io/team/app:1:
    lookaside: file:///tag
`
test(placesOf, 'the name with its tag first', nested, 'q.io/team/app:1', 'file:///tag', 'file:///tag', false)
test(placesOf, 'then the repository', nested, 'q.io/team/app:2', 'file:///app', 'file:///app', false)
test(
  placesOf,
  'for each key the next scope that says it',
  nested,
  'q.io/team/other:1',
  'file:///wildcard',
  'file:///host',
  false,
)
test(placesOf, 'a wildcard', nested, 'r.io/a:1', 'file:///wildcard', 'file:///wildcard', true)
test(placesOf, 'the default last', nested, 'localhost:5000/a:1', 'file:///default', 'file:///default', true)
test(
  placesOf,
  'keys that are not known',
  'default-docker:\n  other: 1\nmore: {}\n',
  'q.io/a:1',
  builtIn,
  builtIn,
  false,
)

test('loadRegistriesD() reads all files that end in .yaml, and no others', async t => {
  const { config } = await load(t, {
    'a.yaml': 'docker:\n  a.io:\n    lookaside: file:///a\n',
    'b.yaml': 'docker:\n  b.io:\n    lookaside: file:///b\n',
    'c.yml': 'docker: [',
    'd.yaml.bak': 'docker: [',
  })
  t.deepEqual([...config.entries.keys()], ['a.io', 'b.io'])
})

const refuses = test.macro<[what: string, files: Readonly<Record<string, string>>, message: RegExp]>({
  async exec(t, _what, files, message) {
    await t.throwsAsync(load(t, files), { code: 'INVALID_ARGUMENT', message })
  },
  title: (_, what) => `loadRegistriesD() refuses ${what}`,
})

test(refuses, 'what is not YAML', { 'a.yaml': 'docker: [' }, /a\.yaml: /)
test(refuses, 'a list', { 'a.yaml': '- a\n' }, /a\.yaml: expected an object/)
test(refuses, 'several documents', { 'a.yaml': 'docker: {}\n---\ndocker: {}\n' }, /a\.yaml: /)
test(
  refuses,
  'a key that comes twice',
  { 'a.yaml': 'docker:\n  q.io: {}\n  q.io: {}\n' },
  /a\.yaml: .*unique/i,
)
test(
  refuses,
  'a lookaside that is no text',
  { 'a.yaml': 'default-docker:\n  lookaside: [1]\n' },
  /a\.yaml: default-docker\.lookaside: expected a string/,
)
test(
  refuses,
  'a switch that is no switch',
  { 'a.yaml': 'docker:\n  q.io:\n    use-sigstore-attachments: "yes"\n' },
  /docker\.q\.io\.use-sigstore-attachments: neither true nor false/,
)
test(
  refuses,
  'aliases that unfold without end',
  {
    'a.yaml': `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefgh'].map((c, at) => `${c}: &${c} [${Array(9).fill(`*${'abcdefg'[at]}`).join(',')}]`).join('\n')}\n`,
  },
  /a\.yaml: Excessive alias count/,
)
test(
  refuses,
  'two defaults',
  { 'a.yaml': 'default-docker: {}\n', 'b.yaml': 'default-docker: {}\n' },
  /default-docker is defined both in .*a\.yaml and in .*b\.yaml/,
)
test(
  refuses,
  'a scope that two files have',
  { 'a.yaml': 'docker:\n  q.io: {}\n', 'b.yaml': 'docker:\n  q.io: {}\n' },
  /docker scope "q\.io" is defined both in .*a\.yaml and in .*b\.yaml/,
)

test('signaturePlaces() refuses a lookaside that is no URL of file, http or https', async t => {
  for (const url of ['/var/lib', 'ftp://a/b', 'sftp://x', 'data:,x']) {
    const { config } = await load(t, { 'a.yaml': `default-docker:\n  lookaside: ${JSON.stringify(url)}\n` })
    t.throws(() => signaturePlaces(config, parseReference('q.io/a:1')), {
      code: 'INVALID_ARGUMENT',
      message: /not a URL of file, http or https/,
    })
  }
})

test('loadRegistriesD() takes the directory of the user if there is one, else that of the machine', async t => {
  const [home, system] = [await temporaryDirectory(t), await temporaryDirectory(t)]
  await fs.writeFile(path.join(system, 'a.yaml'), 'docker:\n  system.io: {}\n')
  t.deepEqual([...(await loadRegistriesD({ home, system })).entries.keys()], ['system.io'])
  await fs.mkdir(path.join(home, '.config/containers/registries.d'), { recursive: true })
  t.deepEqual([...(await loadRegistriesD({ home, system })).entries.keys()], [])
  t.deepEqual([...(await loadRegistriesD({ home: system, system: '/nonexistent' })).entries.keys()], [])
})

test('loadRegistriesD() refuses a file that is too large to be one', async t => {
  await t.throwsAsync(load(t, { 'a.yaml': '#'.repeat(1024 * 1024 + 1) }), { code: 'RESOURCE_EXHAUSTED' })
})
