import path from 'node:path'
import type { ExecutionContext } from 'ava'
import { type ConfiguredHostsOptions, configuredHosts } from '../../src/remotes/registry/configured-hosts.ts'
import { directoryWith } from '../support/files.ts'
import { image } from '../support/image.ts'
import { testWith } from '../support/programs.ts'
import { publish } from '../support/publish.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { quickResolver } from '../support/resolver.ts'
import { run } from '../support/run.ts'
import { startServing } from '../support/serving.ts'

const root = image('linux/amd64', 'one')
const { digest } = root.desc

/** Two registries, of which the second has the image. */
async function setUp(t: ExecutionContext) {
  const [one, two] = [await startRegistry(t), await startRegistry(t)]
  for (const repository of ['app', 'team/app', 'library/app']) publish(two, repository, 'v1', root)
  return { one, two }
}

/** Where the tag or digest of a reference was asked for, by registry, since the last time. */
const asked = (registries: Readonly<Record<string, TestRegistry>>, reference: string): readonly string[] =>
  Object.entries(registries).flatMap(([name, registry]) => {
    const wanted = reference.includes('@') ? digest : 'v1'
    const paths = registry.requests.map(({ path: text }) => text.replace(/\?.*$/, ''))
    registry.requests.length = 0
    return [...new Set(paths)]
      .filter(text => text.endsWith(`/manifests/${wanted}`))
      .map(text => `${name} ${text}`)
  })

const skopeo = testWith('skopeo')

/** ONE and TWO stand for the registries. */
const cases: readonly (readonly [conf: string, reference: string, code: 0 | 1])[] = [
  ['prefix = "a.test"\nlocation = "TWO"', 'a.test/app:v1', 0],
  ['prefix = "a.test/x"\nlocation = "TWO/team"', 'a.test/x/app:v1', 0],
  ['prefix = "*.a.test"\nlocation = "TWO/team"', 'b.c.a.test/app:v1', 0],
  ['prefix = "docker.io"\nlocation = "TWO"', 'docker.io/app:v1', 0],
  ['prefix = "a.test"\nlocation = "TWO"\nMIRROR "ONE"', 'a.test/app:v1', 0],
  ['prefix = "a.test"\nlocation = "ONE"\nMIRROR "TWO/team"', `a.test/app@${digest}`, 0],
  ['prefix = "a.test"\nlocation = "TWO"\nmirror-by-digest-only = true\nMIRROR "ONE"', 'a.test/app:v1', 0],
  [
    'prefix = "a.test"\nlocation = "TWO"\nmirror-by-digest-only = true\nMIRROR "ONE"',
    `a.test/app@${digest}`,
    0,
  ],
  [
    'prefix = "a.test"\nlocation = "TWO"\nMIRROR "ONE"\npull-from-mirror = "tag-only"',
    `a.test/app@${digest}`,
    0,
  ],
  ['prefix = "a.test"\nlocation = "TWO"\nMIRROR "ONE"\npull-from-mirror = "tag-only"', 'a.test/app:v1', 0],
  ['prefix = "a.test"\nlocation = "TWO"\nMIRROR "ONE"\npull-from-mirror = "digest-only"', 'a.test/app:v1', 0],
  ['prefix = "a.test"\nlocation = "TWO"\nMIRROR "ONE"', 'a.test/none:v1', 1],
  ['location = "a.test"\nblocked = true', 'a.test/app:v1', 1],
]

skopeo('by registries.conf orlop asks where skopeo asks', async t => {
  const { one, two } = await setUp(t)
  for (const [text, reference, code] of cases) {
    const conf = `[[registry]]\ninsecure = true\n${text}`
      .replaceAll('MIRROR', '[[registry.mirror]]\ninsecure = true\nlocation =')
      .replaceAll('ONE', one.host)
      .replaceAll('TWO', two.host)
    const file = path.join(await directoryWith(t, { 'r.conf': conf }), 'r.conf')
    const theirs = await run('skopeo', [
      '--registries-conf',
      file,
      'inspect',
      '--raw',
      `docker://${reference}`,
    ])
    const places = asked({ one, two }, reference)
    const ours = await resolves(t, { registriesConf: file }, reference)
    t.deepEqual(asked({ one, two }, reference), places, `${text}\n${theirs.stderr}\n${ours}`)
    t.is(Math.min(theirs.code ?? 1, 1), code, theirs.stderr)
    t.is(ours === undefined ? 0 : 1, code, ours)
    t.is(places.length > 0, !text.includes('blocked'), text)
  }
})

/** Resolves a reference by a configuration; gives what is wrong. */
async function resolves(
  t: ExecutionContext,
  options: ConfiguredHostsOptions,
  reference: string,
): Promise<string | undefined> {
  const hosts = configuredHosts({ ...options, dropIns: '/nonexistent' })
  const { resolver } = quickResolver(t, { hosts })
  try {
    await resolver.resolve(reference)
    return undefined
  } catch (error) {
    return String(error)
  }
}

/** As `cases`, of hosts.toml; ctr 1.6 takes none without a host. */
const files: readonly (readonly [toml: string, code: 0 | 1])[] = [
  ['server = "http://TWO"\n[host."http://ONE"]', 0],
  ['server = "http://ONE"\n[host."http://TWO"]', 0],
  ['server = "http://TWO"\n[host."http://ONE"]\ncapabilities = ["pull"]', 0],
  ['server = "http://TWO"\n[host."http://ONE/cache"]', 0],
  ['server = "http://TWO"\n[host."http://ONE/v2/cache"]\noverride_path = true', 0],
  ['server = "http://ONE"\n[host."http://ONE/other"]', 1],
]

testWith('ctr')('by hosts.toml orlop asks where ctr asks', async t => {
  const { one, two } = await setUp(t)
  const { address } = await startServing(t)
  const reference = 'a.test/app:v1'
  for (const [text, code] of files) {
    const toml = text.replaceAll('ONE', one.host).replaceAll('TWO', two.host)
    const hostsDirectory = await directoryWith(t, { 'a.test/hosts.toml': toml })
    const pull = ['images', 'pull', '--hosts-dir', hostsDirectory, '--platform', 'linux/amd64', reference]
    const theirs = await run('ctr', ['-a', address, ...pull])
    const places = asked({ one, two }, reference)
    const ours = await resolves(t, { hostsDirectory }, reference)
    t.is(ours === undefined ? 0 : 1, code, ours)
    t.deepEqual(asked({ one, two }, reference), places, `${toml}\n${theirs.stderr}\n${ours}`)
    t.true(places.length > 0, theirs.stderr)
  }
})
