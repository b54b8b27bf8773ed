import fs from 'node:fs/promises'
import test from 'ava'
import { type Policy, parsePolicy } from '../../src/policy/index.ts'
import { copyPlaces } from '../support/copying.ts'
import { type Fixtures, startFixtures } from '../support/fixtures.ts'
import { isInstalled, type Program } from '../support/installed.ts'
import { putBlob, putJson } from '../support/layout.ts'
import { testWith } from '../support/programs.ts'
import { orlop, output } from '../support/run.ts'
import { openRuntime } from '../support/store.ts'
import { afterFile, temporaryDirectory } from '../support/tmp.ts'

const programs: readonly Program[] = ['docker-registry', 'skopeo', 'umoci', 'zstd']
const interop = testWith(...programs)
const file = afterFile(test.after.always)

let fixtures: Fixtures
test.before(async () => {
  if (programs.every(isInstalled))
    fixtures = await startFixtures(file, [
      'multi-platform',
      'docker-schema2',
      'foreign-layer',
      'foreign-layer-elsewhere',
    ])
})

const at = (repository: string): string => `${fixtures.registry.host}/${repository}`

/** What a registry has under a reference, as bytes. */
const raw = (reference: string): Promise<string> =>
  output('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${reference}`])

interop('copy from one repository to another mounts the blobs, and keeps every digest', async t => {
  const from = fixtures.reference('multi-platform')
  const sent: string[] = []
  const { target, source } = await copyPlaces(`docker://${from}`, `docker://${at('copied/mounted:1')}`, {
    onProgress: event => {
      if (event.type === 'exists' && event.from !== undefined) sent.push(event.from)
    },
  })
  t.is(target.digest, source.digest)
  t.deepEqual(new Set(sent), new Set(['fixtures/multi-platform']))
  t.is(await raw(at('copied/mounted:1')), await raw(from))
  t.is(await raw(at(`copied/mounted@${target.digest}`)), await raw(from))
})

interop('copy from a layout, a directory and the store to a registry', async t => {
  const work = await temporaryDirectory(t)
  const parts = { store: (await openRuntime(t)).scope() }
  const from = fixtures.reference('docker-schema2')
  const expected = await raw(from)
  await copyPlaces(`docker://${from}`, `dir:${work}/d`)
  await copyPlaces(`dir:${work}/d`, `oci:${work}/l`, { preserveDigests: true })
  await copyPlaces(`dir:${work}/d`, 'store:x', {}, parts)
  for (const [name, place] of [
    ['dir', `dir:${work}/d`],
    ['oci', `oci:${work}/l`],
    ['store', 'store:x'],
  ] as const) {
    await copyPlaces(place, `docker://${at(`from/${name}:1`)}`, {}, parts)
    t.is(await raw(at(`from/${name}:1`)), expected)
  }
})

interop('copy to a registry by digest, without a name, and to a digest that it is not', async t => {
  const from = `docker://${fixtures.reference('docker-schema2')}`
  const { target } = await copyPlaces(from, `docker://${at('nameless')}@@unknown-digest@@`)
  t.is(await raw(at(`nameless@${target.digest}`)), await raw(fixtures.reference('docker-schema2')))
  await copyPlaces(from, `docker://${at('named')}@${target.digest}`)
  const other = `sha256:${'0'.repeat(64)}`
  await t.throwsAsync(copyPlaces(from, `docker://${at('named')}@${other}`), { code: 'FAILED_PRECONDITION' })
})

interop(
  'copy to a registry changes format and compression on the way, and skopeo reads what came of it',
  async t => {
    const work = await temporaryDirectory(t)
    const from = `docker://${fixtures.reference('multi-platform')}`
    const to = at('changed/all:1')
    await copyPlaces(from, `docker://${to}`, { format: 'docker', compression: { type: 'none' } })
    await output('skopeo', [
      'copy',
      '-q',
      '--all',
      '--insecure-policy',
      '--src-tls-verify=false',
      `docker://${to}`,
      `dir:${work}/d`,
    ])
    const back = await copyPlaces(`docker://${to}`, `dir:${work}/e`)
    t.is(back.target.mediaType, 'application/vnd.docker.distribution.manifest.list.v2+json')
    t.deepEqual((await fs.readdir(`${work}/d`)).sort(), (await fs.readdir(`${work}/e`)).sort())
  },
)

interop(
  'copy leaves foreign layers at their URLs when it goes to a registry, unless it is told not to',
  async t => {
    const from = `docker://${fixtures.reference('foreign-layer')}`
    const { left, target } = await copyPlaces(from, `docker://${at('licensed/left:1')}`)
    t.is(left.length, 1)
    t.is(await raw(at(`licensed/left@${target.digest}`)), await raw(fixtures.reference('foreign-layer')))
    const all = await copyPlaces(from, `docker://${at('licensed/pushed:1')}`, { nonDistributable: true })
    t.deepEqual(all.left, [])
  },
)

interop('copy with referrers brings what refers to an image to every place that has room for it', async t => {
  const work = await temporaryDirectory(t)
  const parts = { store: (await openRuntime(t)).scope() }
  const subject = await copyPlaces(`docker://${fixtures.reference('docker-schema2')}`, `oci:${work}/l:v1`)
  const layout = `${work}/l`
  const config = await putBlob(layout, 'application/vnd.oci.empty.v1+json', Buffer.from('{}'))
  const text = await putBlob(layout, 'text/plain', Buffer.from('a bill of materials'))
  const { mediaType, digest, size } = subject.target
  const fields = { schemaVersion: 2, config, layers: [text], subject: { mediaType, digest, size } }
  const manifest = 'application/vnd.oci.image.manifest.v1+json'
  const sbom = await putJson(layout, manifest, { ...fields, mediaType: manifest, artifactType: 'text/spdx' })
  const index = JSON.parse(await fs.readFile(`${layout}/index.json`, 'utf8'))
  await fs.writeFile(
    `${layout}/index.json`,
    JSON.stringify({ ...index, manifests: [...index.manifests, sbom] }),
  )

  const chain = [`oci:${layout}:v1`, `docker://${at('referred/to:1')}`, 'store:x', `oci:${work}/m:v1`]
  for (const [n, from] of chain.entries()) {
    const to = chain[n + 1]
    if (to === undefined) break
    const { referrers } = await copyPlaces(from, to, { referrers: true }, parts)
    t.deepEqual(
      referrers.map(found => String(found.digest)),
      [sbom.digest],
      to,
    )
  }
  const last = JSON.parse(await fs.readFile(`${work}/m/index.json`, 'utf8'))
  t.deepEqual(
    last.manifests.map((entry: { readonly digest: string }) => entry.digest),
    [digest, sbom.digest],
  )
  await t.throwsAsync(copyPlaces(`oci:${layout}:v1`, `dir:${work}/d`, { referrers: true }), {
    code: 'FAILED_PRECONDITION',
    message: /has no place for the 1/,
  })
  await t.throwsAsync(copyPlaces(`dir:${work}/d`, `dir:${work}/e`, { referrers: true }), {
    code: 'NOT_FOUND',
  })
})

interop('copy asks the policy, by what the source is called', async t => {
  const work = await temporaryDirectory(t)
  const { host } = fixtures.registry
  const policy = policyFrom({
    default: [{ type: 'reject' }],
    transports: {
      docker: { [`${host}/fixtures/docker-schema2`]: [{ type: 'insecureAcceptAnything' }] },
      dir: { [work]: [{ type: 'insecureAcceptAnything' }] },
    },
  })
  await copyPlaces(`docker://${fixtures.reference('docker-schema2')}`, `dir:${work}/d`, { policy })
  await copyPlaces(`dir:${work}/d`, `oci:${work}/l`, { policy })
  const denied = { code: 'PERMISSION_DENIED' }
  await t.throwsAsync(copyPlaces(`oci:${work}/l`, `dir:${work}/e`, { policy }), denied)
  await t.throwsAsync(
    copyPlaces(`docker://${fixtures.reference('multi-platform')}`, `dir:${work}/e`, { policy }),
    denied,
  )
  t.false((await fs.readdir(`${work}/e`)).includes('manifest.json'))
})

const policyFrom = (json: object): Policy => parsePolicy(Buffer.from(JSON.stringify(json)), 'policy')

interop('orlop copy: each side has its own credentials and its own way to its registry', async t => {
  const work = await temporaryDirectory(t)
  const policy = `${work}/policy.json`
  await fs.writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}')
  const from = `docker://${fixtures.reference('docker-schema2')}`
  const flags = ['--root', `${work}/root`, '-q', 'copy', '--policy', policy]
  const to = `docker://${at('by/command:1')}`
  const done = await orlop([
    ...flags,
    '--src-creds',
    'a:b',
    '--dest-plain-http',
    '--src-tls-verify=false',
    from,
    to,
  ])
  t.is(done.code, 0, done.stderr)
  t.is(await raw(at('by/command:1')), await raw(fixtures.reference('docker-schema2')))
  await fs.writeFile(policy, '{"default":[{"type":"reject"}]}')
  const denied = await orlop([...flags, from, to])
  t.is(denied.code, 6, denied.stderr)
})
