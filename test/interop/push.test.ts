import path from 'node:path'
import test from 'ava'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { pull } from '../../src/runtime/pull.ts'
import { push } from '../../src/runtime/push.ts'
import { canRunContainerd, startContainerd } from '../support/containerd.ts'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { type FixtureName, type Fixtures, startFixtures } from '../support/fixtures.ts'
import { isInstalled, type Program } from '../support/installed.ts'
import { digestOf, type RawDescriptor, type RawDocument } from '../support/layout.ts'
import { testWith } from '../support/programs.ts'
import { quickResolver } from '../support/resolver.ts'
import { orlop, output } from '../support/run.ts'
import { startServing } from '../support/serving.ts'
import { openRuntime } from '../support/store.ts'
import { afterFile, temporaryDirectory } from '../support/tmp.ts'

const programs: readonly Program[] = ['docker-registry', 'skopeo', 'umoci', 'zstd']
const interop = testWith(...programs)
const file = afterFile(test.after.always)
const names: readonly FixtureName[] = [
  'single-manifest',
  'multi-platform',
  'docker-schema2',
  'docker-manifest-list',
  'nested-index',
  'zstd-layers',
  'attestation',
  'artifact',
  'foreign-layer-elsewhere',
  'empty-layer',
  'entry-without-platform',
]
let fixtures: Fixtures
let registry: DockerRegistry
test.before(async () => {
  if (!programs.every(isInstalled)) return
  fixtures = await startFixtures(file, names)
  registry = await startDockerRegistry(file)
})

const accept = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifestList,
].join(', ')

/** All manifests of an image as a registry has them, with their types; layers and configs as their sizes. */
async function graphOf(url: string, repository: string, tag: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  const visit = async (name: string): Promise<void> => {
    const response = await fetch(`${url}/v2/${repository}/manifests/${name}`, { headers: { accept } })
    const text = await response.text()
    if (!response.ok) throw new Error(`${repository} ${name}: ${response.status} ${text}`)
    found.set(digestOf(Buffer.from(text)), `${response.headers.get('content-type')} ${text}`)
    const { manifests = [], config, layers = [] }: RawDocument = JSON.parse(text)
    for (const child of manifests) await visit(child.digest)
    for (const child of [...(config ? [config] : []), ...layers]) await look(child)
  }
  const look = async ({ digest, urls }: RawDescriptor): Promise<void> => {
    if (urls) return
    const response = await fetch(`${url}/v2/${repository}/blobs/${digest}`, { method: 'HEAD' })
    found.set(digest, `${response.status} ${response.headers.get('content-length')}`)
  }
  await visit(tag)
  return found
}

for (const name of names) {
  interop(`${name} is the same in the registry that it is pushed to`, async t => {
    const runtime = await openRuntime(t)
    const scope = runtime.scope('default')
    const { resolver } = quickResolver(t, { allowPrivateUrls: true })
    const reference = fixtures.reference(name)
    await pull({ resolver, scope }, reference)
    const pushed = await push({ resolver, scope }, `${registry.host}/pushed/${name}:1`, { image: reference })
    const before = await graphOf(fixtures.registry.url, `fixtures/${name}`, '1')
    t.true(before.has(pushed.target.digest))
    t.deepEqual(await graphOf(registry.url, `pushed/${name}`, '1'), before)
  })
}

const skopeoCopy = ['copy', '--all', '--quiet', '--insecure-policy', '--preserve-digests'] as const

interop('what is pushed can be copied by skopeo, into what can be pushed again', async t => {
  const [runtime, directory] = await Promise.all([openRuntime(t), temporaryDirectory(t)])
  const scope = runtime.scope('default')
  const { resolver } = quickResolver(t)
  for (const name of ['docker-manifest-list', 'zstd-layers'] as const) {
    await pull({ resolver, scope }, fixtures.reference(name))
    const first = await push({ resolver, scope }, `${registry.host}/skopeo/${name}:1`, {
      image: fixtures.reference(name),
    })
    const layout = `dir:${path.join(directory, name)}`
    await output('skopeo', [...skopeoCopy, '--src-tls-verify=false', `docker://${first.reference}`, layout])
    const again = `${registry.host}/skopeo/${name}:2`
    await output('skopeo', [...skopeoCopy, '--dest-tls-verify=false', layout, `docker://${again}`])
    const { image } = await pull({ resolver, scope }, again)
    t.is(image.target.digest, first.target.digest)
    const second = await push({ resolver, scope }, again)
    t.is(second.totals.fetched, 0)
  }
})

interop('orlop images push sends an image with one command; content push-object a part of it', async t => {
  const root = path.join(await temporaryDirectory(t), 'root')
  const run = (...args: readonly string[]) => orlop(['--root', root, ...args])
  const source = fixtures.reference('multi-platform')
  t.is((await run('--quiet', 'images', 'pull', '--all-platforms', source)).code, 0)
  const target = `${registry.host}/cli/app`
  const pushed = await run('--json', '--progress', 'json', 'images', 'push', source, `${target}:1`)
  t.is(pushed.code, 0, pushed.stderr)
  const result = JSON.parse(pushed.stdout)
  t.is(result.reference, `${target}:1`)
  t.true(result.bytes.sent > 0)
  const events = pushed.stderr
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  t.true(events.some(({ type, digest }) => type === 'uploading' && typeof digest === 'string'))
  const raw = await output('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${target}:1`])
  t.is(digestOf(Buffer.from(raw)), result.target.digest)

  const arm64 = JSON.parse(raw).manifests.find(
    ({ platform }: RawDescriptor) => platform?.architecture === 'arm64',
  )
  const one = await run('images', 'push', '--platform', 'linux/arm64', source, `${target}:arm64`)
  t.is(one.stdout, `${target}:arm64 ${arm64.digest}\n`, one.stderr)
  const again = await run('images', 'push', '--manifest', arm64.digest, `${target}:by-digest`)
  t.is(again.stdout, `${target}:by-digest ${arm64.digest}\n`, again.stderr)
  const object = await run('content', 'push-object', `${target}:object`, arm64.digest, arm64.mediaType)
  t.is(object.stdout, `Pushed ${arm64.digest} ${arm64.mediaType}\n`, object.stderr)
  t.is(
    digestOf(
      Buffer.from(
        await output('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${target}:object`]),
      ),
    ),
    arm64.digest,
  )
})

interop('orlop images push of an image of which one platform is here says what to do', async t => {
  const root = path.join(await temporaryDirectory(t), 'root')
  const run = (...args: readonly string[]) => orlop(['--root', root, ...args])
  const source = fixtures.reference('multi-platform')
  t.is((await run('--quiet', 'images', 'pull', '--platform', 'linux/arm64', source)).code, 0)
  const target = `${registry.host}/partial/app:1`
  const refused = await run('--quiet', 'images', 'push', source, target)
  t.is(refused.code, 3)
  t.regex(
    refused.stderr,
    /^orlop: [^\n]*linux\/amd64 manifest sha256:[^\n]*--platform[^\n]*--missing skip[^\n]*\n$/,
  )
  const skipped = await run('--json', 'images', 'push', '--missing', 'skip', source, target)
  t.is(skipped.code, 0, skipped.stderr)
  t.true(JSON.parse(skipped.stdout).skipped.length > 0)
  const raw = JSON.parse(
    await output('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${target}`]),
  )
  t.deepEqual(
    raw.manifests.map(({ platform }: RawDescriptor) => platform?.architecture),
    ['arm64'],
  )
  const fetched = await run('--json', 'images', 'push', '--missing', 'fetch', source, target)
  t.is(fetched.code, 0, fetched.stderr)
  t.deepEqual(
    await graphOf(registry.url, 'partial/app', '1'),
    await graphOf(fixtures.registry.url, 'fixtures/multi-platform', '1'),
  )
})

interop('orlop images push works beside the owner of a store, and through its socket', async t => {
  const { root, address } = await startServing(t)
  const source = fixtures.reference('zstd-layers')
  t.is((await orlop(['--root', root, '--quiet', 'images', 'pull', '--all-platforms', source])).code, 0)
  const want = await graphOf(fixtures.registry.url, 'fixtures/zstd-layers', '1')
  for (const [name, flag, place] of [
    ['guest', '--root', root],
    ['client', '--address', address],
  ] as const) {
    const pushed = await orlop([flag, place, 'images', 'push', source, `${registry.host}/shared/${name}:1`])
    t.is(pushed.code, 0, pushed.stderr)
    t.deepEqual(await graphOf(registry.url, `shared/${name}`, '1'), want)
  }
})

interop('what is pushed can be fetched by ctr', async t => {
  if (!isInstalled('ctr') || !canRunContainerd()) {
    t.log('skipped: needs containerd, and root')
    t.pass()
    return
  }
  const { address } = await startContainerd(t)
  const runtime = await openRuntime(t)
  const scope = runtime.scope('default')
  const { resolver } = quickResolver(t)
  for (const name of ['multi-platform', 'docker-schema2'] as const) {
    await pull({ resolver, scope }, fixtures.reference(name))
    const options = { image: fixtures.reference(name) }
    const { target, reference } = await push({ resolver, scope }, `${registry.host}/ctr/${name}:1`, options)
    const ctr = (...args: readonly string[]) => output('ctr', ['--address', address, ...args])
    await ctr('content', 'fetch', '--plain-http', '--all-platforms', reference)
    t.regex(await ctr('images', 'list'), new RegExp(`${reference}.*${target.digest}`))
    const check = await ctr('images', 'check')
    t.regex(check, /complete \(\d+\/\d+\)/)
  }
})
