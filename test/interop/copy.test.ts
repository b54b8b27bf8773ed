import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { copyPlaces } from '../support/copying.ts'
import { type FixtureName, type Fixtures, startFixtures } from '../support/fixtures.ts'
import { isInstalled, type Program } from '../support/installed.ts'
import { testWith } from '../support/programs.ts'
import { orlop, output, run } from '../support/run.ts'
import { openRuntime } from '../support/store.ts'
import { afterFile, temporaryDirectory } from '../support/tmp.ts'

const programs: readonly Program[] = ['docker-registry', 'skopeo', 'umoci', 'zstd']
const interop = testWith(...programs)
const file = afterFile(test.after.always)

/** Those that skopeo of 2022 can copy; indexes in indexes it cannot. */
const names: readonly FixtureName[] = [
  ...(['multi-platform', 'docker-schema2', 'docker-manifest-list', 'zstd-layers', 'attestation'] as const),
  ...(['artifact', 'many-layers', 'empty-layer', 'foreign-layer'] as const),
]

let fixtures: Fixtures
test.before(async () => {
  if (programs.every(isInstalled))
    fixtures = await startFixtures(file, [...names, 'nested-index', 'foreign-layer-elsewhere'])
})

const skopeo = (from: string, to: string, ...flags: readonly string[]): Promise<string> =>
  output('skopeo', [
    'copy',
    '--quiet',
    '--all',
    '--insecure-policy',
    '--src-tls-verify=false',
    ...flags,
    from,
    to,
  ])

/** The files of a directory and all below, by name, in base64; modes and dates do not count. */
async function filesOf(directory: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {}
  for (const entry of await fs.readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const name = path.join(entry.parentPath, entry.name)
    found[path.relative(directory, name)] = await fs.readFile(name, 'base64')
  }
  return found
}

const same = async (t: ExecutionContext, ours: string, theirs: string): Promise<void> =>
  void t.deepEqual(await filesOf(ours), await filesOf(theirs))

for (const name of names) {
  interop(`copy of ${name}: what skopeo writes we read, and what we write is what skopeo writes`, async t => {
    const work = await temporaryDirectory(t)
    const at = (place: string): string => path.join(work, place)
    const reference = `docker://${fixtures.reference(name)}`
    await skopeo(reference, `dir:${at('theirs')}`)
    await copyPlaces(reference, `dir:${at('ours')}`)
    await same(t, at('ours'), at('theirs'))

    await copyPlaces(`dir:${at('theirs')}`, `oci:${at('layout')}:docker.io/a/b:1`, { preserveDigests: true })
    await copyPlaces(`oci:${at('layout')}:docker.io/a/b:1`, `dir:${at('again')}`)
    await same(t, at('again'), at('theirs'))

    const { parts } = await storeOf(t)
    await copyPlaces(`oci:${at('layout')}`, 'store:b', { preserveDigests: true }, parts)
    await copyPlaces('store:b', `dir:${at('stored')}`, {}, parts)
    await same(t, at('stored'), at('theirs'))
  })
}

for (const name of [
  'multi-platform',
  'docker-manifest-list',
  'zstd-layers',
  'artifact',
  'foreign-layer',
] as const) {
  interop(`copy of ${name}: skopeo reads the layout that we write`, async t => {
    const work = await temporaryDirectory(t)
    const at = (place: string): string => path.join(work, place)
    const { target } = await copyPlaces(`docker://${fixtures.reference(name)}`, `oci:${at('layout')}:v1`)
    // Beside it, as its layout may not have foreign layers.
    await skopeo(`oci:${at('layout')}:v1`, `dir:${at('theirs')}`)
    await copyPlaces(`oci:${at('layout')}:v1`, `dir:${at('ours')}`)
    await same(t, at('ours'), at('theirs'))
    const listed = await output('umoci', ['ls', '--layout', at('layout')])
    t.is(listed.trim(), 'v1')
    t.true(target.mediaType.startsWith('application/vnd.oci.'))
  })
}

for (const name of ['multi-platform', 'many-layers', 'empty-layer', 'foreign-layer'] as const) {
  interop(`copy of ${name} to Docker's format gives byte for byte what skopeo makes of it`, async t => {
    const work = await temporaryDirectory(t)
    const reference = `docker://${fixtures.reference(name)}`
    await skopeo(reference, `dir:${work}/theirs`, '--format', 'v2s2')
    await copyPlaces(reference, `dir:${work}/ours`, { format: 'docker' })
    await same(t, `${work}/ours`, `${work}/theirs`)
  })
}

for (const name of ['attestation', 'artifact', 'zstd-layers', 'nested-index'] as const) {
  interop(`copy of ${name} to Docker's format is refused, as skopeo refuses it`, async t => {
    const work = await temporaryDirectory(t)
    const reference = `docker://${fixtures.reference(name)}`
    const flags = ['--all', '--insecure-policy', '--src-tls-verify=false', '--format', 'v2s2']
    t.not((await run('skopeo', ['copy', ...flags, reference, `dir:${work}/theirs`])).code, 0)
    await t.throwsAsync(copyPlaces(reference, `dir:${work}/ours`, { format: 'docker' }), {
      code: 'FAILED_PRECONDITION',
      message: /Docker's format/,
    })
    t.false((await fs.readdir(`${work}/ours`)).includes('manifest.json'))
  })
}

interop('copy of many-layers through both kinds of archives loses nothing on the way', async t => {
  const work = await temporaryDirectory(t)
  const { target } = await copyPlaces(
    `docker://${fixtures.reference('many-layers')}`,
    `oci-archive:${work}/a.tar`,
  )
  await copyPlaces(`oci-archive:${work}/a.tar`, `docker-archive:${work}/b.tar:many:1`)
  await skopeo(`docker-archive:${work}/b.tar:many:1`, `dir:${work}/theirs`)
  await copyPlaces(`docker-archive:${work}/b.tar`, `dir:${work}/ours`)
  const blobs = async (directory: string) =>
    (await fs.readdir(directory)).filter(name => /^[0-9a-f]{64}$/.test(name)).sort()
  t.deepEqual(await blobs(`${work}/ours`), await blobs(`${work}/theirs`))
  t.is((await blobs(`${work}/ours`)).length, 129)
  t.is(target.mediaType, 'application/vnd.oci.image.manifest.v1+json')
})

interop('copy of nested-index keeps every level', async t => {
  const work = await temporaryDirectory(t)
  const { source, target } = await copyPlaces(
    `docker://${fixtures.reference('nested-index')}`,
    `oci:${work}/l`,
  )
  t.is(target.digest, source.digest)
  await copyPlaces(`oci:${work}/l`, `dir:${work}/d`)
  const back = await copyPlaces(`dir:${work}/d`, `oci:${work}/m`)
  t.is(back.target.digest, source.digest)
})

interop('umoci unpacks, repacks and writes what we wrote, and we read it again', async t => {
  const work = await temporaryDirectory(t)
  await copyPlaces(`docker://${fixtures.reference('multi-platform')}`, `oci:${work}/l:v1`, {
    multiArch: 'system',
  })
  await fs.writeFile(`${work}/file`, 'new')
  await output('umoci', ['insert', '--image', `${work}/l:v1`, '--tag', 'v2', `${work}/file`, '/new'])
  const { target } = await copyPlaces(`oci:${work}/l:v2`, `oci:${work}/m:v2`)
  const index = JSON.parse(await fs.readFile(`${work}/l/index.json`, 'utf8'))
  t.true(index.manifests.some(({ digest }: { readonly digest: string }) => digest === target.digest))
  await output('umoci', ['gc', '--layout', `${work}/m`])
  await copyPlaces(`oci:${work}/m:v2`, `dir:${work}/d`)
})

interop('orlop copy: the command does it, and says what it did', async t => {
  const work = await temporaryDirectory(t)
  const reference = `docker://${fixtures.reference('multi-platform')}`
  const copying = (...args: readonly string[]) => orlop(['--root', `${work}/root`, ...args])
  const quiet = await copying(
    '-q',
    'copy',
    '--all',
    '--digestfile',
    `${work}/digest`,
    reference,
    `oci:${work}/l:v1`,
  )
  t.is(quiet.code, 0, quiet.stderr)
  t.is(quiet.stderr, '')
  t.is(await fs.readFile(`${work}/digest`, 'utf8'), quiet.stdout.trim())
  const json = await copying('--json', 'copy', '--platform', 'linux/arm64', `oci:${work}/l:v1`, 'store:arm')
  t.is(json.code, 0, json.stderr)
  const { target, changed, source, destination } = JSON.parse(json.stdout)
  t.like(target, { mediaType: 'application/vnd.oci.image.manifest.v1+json' })
  t.true(changed)
  t.deepEqual([source, destination], [`oci:${work}/l:v1`, 'store:docker.io/library/arm:latest'])
  const platforms = await copying('images', 'platforms', 'arm')
  t.is(platforms.stdout, 'linux/arm64\n')
  const several = await copying(
    ...['copy', '--platform', 'linux/arm64', '--platform', 'linux/amd64', `oci:${work}/l:v1`, 'store:two'],
  )
  t.is(several.code, 0, several.stderr)
  const both = await copying('images', 'platforms', 'two')
  t.is(both.stdout, 'linux/amd64\nlinux/arm64\n')
  const wrong = await copying('copy', 'busybox', `oci:${work}/l`)
  t.is(wrong.code, 2)
  t.regex(wrong.stderr, /write docker:\/\/busybox/)
})

async function storeOf(t: ExecutionContext) {
  const runtime = await openRuntime(t)
  return { parts: { store: runtime.scope() } }
}
