import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { hasCode } from '../../src/errors.ts'
import type { SigstoreSignature } from '../../src/images/signature.ts'
import { only } from '../../src/oci/matcher.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { loadPolicy } from '../../src/policy/file.ts'
import { copy } from '../../src/runtime/copy.ts'
import { pull } from '../../src/runtime/pull.ts'
import { push } from '../../src/runtime/push.ts'
import { openDestination, openSource } from '../../src/transports/open.ts'
import { parsePlace } from '../../src/transports/place.ts'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { type GpgHome, gpgHome } from '../support/gpg.ts'
import { flat, image, index, type Node } from '../support/image.ts'
import { digestOf } from '../support/layout.ts'
import { testWhere } from '../support/programs.ts'
import { quickResolver } from '../support/resolver.ts'
import { output, run } from '../support/run.ts'
import { type SigningKey, signingKey, sigstoreSignature } from '../support/signing.ts'
import { openRuntime } from '../support/store.ts'
import { afterFile, temporaryDirectory } from '../support/tmp.ts'
import { uploadBlob, uploadManifest } from '../support/upload.ts'

/** A registry of images, some of them signed by gpg, some as cosign signs, and the directory that says where. */
interface Shop {
  readonly registry: DockerRegistry
  readonly directory: string
  readonly registriesD: string
  readonly gpg: GpgHome
  /** Files of public keys: of gpg, and of sigstore. */
  readonly keys: Readonly<Record<'gpg' | 'otherGpg' | 'cosign' | 'otherCosign', string>>
}

const amd = image('linux/amd64', 'amd', 'base')
const arm = image('linux/arm64', 'arm', 'base')
const plain = image('linux/amd64', 'plain')
const attached = image('linux/amd64', 'attached')
const both = index(amd, arm)

const shared: { shop?: Promise<Shop> } = {}
const file = afterFile(test.after.always)
const shop = (): Promise<Shop> => (shared.shop ??= open())

async function open(): Promise<Shop> {
  const [registry, directory, gpg] = await Promise.all([
    startDockerRegistry(file),
    temporaryDirectory(file),
    gpgHome(file),
  ])
  const registriesD = path.join(directory, 'registries.d')
  await fs.mkdir(registriesD)
  await fs.writeFile(
    path.join(registriesD, 'here.yaml'),
    `default-docker:\n  lookaside: file://${directory}/lookaside\n  use-sigstore-attachments: true\n`,
  )
  const [mine, other] = [await gpg.newKey('mine'), await gpg.newKey('other')]
  const [cosign, otherCosign] = [signingKey(), signingKey()]
  const keyFile = async (name: string, { pem }: SigningKey): Promise<string> => {
    await fs.writeFile(path.join(directory, name), pem)
    return path.join(directory, name)
  }
  const keys = {
    gpg: await gpg.exported(mine),
    otherGpg: await gpg.exported(other),
    cosign: await keyFile('cosign.pub', cosign),
    otherCosign: await keyFile('other.pub', otherCosign),
  }
  const made = { registry, directory, registriesD, gpg, keys }
  await upload(made, 'app', '1', amd)
  await upload(made, 'app', '2', amd)
  await signByGpg(made, 'app', amd, `${registry.host}/app:1`, mine)
  await upload(made, 'plain', '1', plain)
  await upload(made, 'list', 'both', both)
  for (const node of [amd, arm]) await signByGpg(made, 'list', node, `${registry.host}/list:both`, mine)
  await upload(made, 'half', '1', both)
  await signByGpg(made, 'half', amd, `${registry.host}/half:1`, mine)
  await upload(made, 'indexed', '1', both)
  await signByGpg(made, 'indexed', both, `${registry.host}/indexed:1`, mine)
  await upload(made, 'moved', '1', amd)
  await signByGpg(made, 'moved', amd, `${registry.host}/app:1`, mine)
  await upload(made, 'stolen', '1', plain)
  await steal(made, 'app', amd, 'stolen', plain)
  await upload(made, 'cosign', '1', attached)
  await attach(made, 'cosign', attached, `${registry.host}/cosign:1`, [cosign])
  await upload(made, 'repo', '1', attached)
  await attach(made, 'repo', attached, `${registry.host}/repo`, [otherCosign, cosign])
  await upload(made, 'multi', '1', both)
  for (const node of [both, amd]) await attach(made, 'multi', node, `${registry.host}/multi`, [cosign])
  return made
}

async function upload({ registry }: Shop, repository: string, tag: string, root: Node): Promise<void> {
  for (const { desc, bytes, below } of flat(root).toReversed()) {
    if (below.length === 0) await uploadBlob(registry.url, repository, desc.digest, bytes)
    else await uploadManifest(registry.url, repository, desc.digest, desc.mediaType, bytes)
  }
  await uploadManifest(registry.url, repository, tag, root.desc.mediaType, root.bytes)
}

const lookasideOf = ({ directory }: Shop, repository: string, { desc }: Node): string =>
  path.join(directory, 'lookaside', `${repository}@${desc.digest.replace(':', '=')}`)

/** Signs with skopeo and gpg, and puts the signature behind those that are there. */
async function signByGpg(
  made: Shop,
  repository: string,
  node: Node,
  name: string,
  key: string,
): Promise<void> {
  const manifest = path.join(made.directory, 'manifest.json')
  const signature = path.join(made.directory, 'signature')
  await fs.writeFile(manifest, node.bytes)
  await output('skopeo', ['standalone-sign', manifest, name, key, '--output', signature], {
    env: made.gpg.env,
  })
  const into = lookasideOf(made, repository, node)
  await fs.mkdir(into, { recursive: true })
  await fs.rename(signature, path.join(into, `signature-${(await fs.readdir(into)).length + 1}`))
}

/** Shows the signature of one manifest as another's. */
async function steal(made: Shop, repository: string, node: Node, to: string, other: Node): Promise<void> {
  await fs.cp(lookasideOf(made, repository, node), lookasideOf(made, to, other), { recursive: true })
}

/** Attaches signatures as cosign lays them out. */
async function attach(
  { registry }: Shop,
  repository: string,
  { desc }: Node,
  reference: string,
  keys: readonly SigningKey[],
): Promise<void> {
  const { digest } = desc
  const made = keys.map(key => sigstoreSignature({ key, digest, reference }))
  const put = async (mediaType: string, bytes: Uint8Array) => {
    await uploadBlob(registry.url, repository, digestOf(bytes), bytes)
    return { mediaType, digest: digestOf(bytes), size: bytes.byteLength }
  }
  const layer = async (one: SigstoreSignature) => ({
    ...(await put(one.mediaType, one.payload)),
    annotations: one.annotations,
  })
  const layers = await Promise.all(made.map(layer))
  const rootfs = { type: 'layers', diff_ids: layers.map(one => one.digest) }
  const config = await put(
    'application/vnd.oci.image.config.v1+json',
    Buffer.from(JSON.stringify({ architecture: '', os: '', config: {}, rootfs })),
  )
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }))
  await uploadManifest(registry.url, repository, `${digest.replace(':', '-')}.sig`, mediaType, manifest)
}

const policies = { count: 0 }

const policyFile = async ({ directory }: Shop, policy: unknown): Promise<string> => {
  const text = typeof policy === 'string' ? policy : JSON.stringify(policy)
  const name = path.join(directory, `policy-${policies.count++}.json`)
  await fs.writeFile(name, text)
  return name
}

/** What skopeo does with an image, `undefined` where it was built without sigstore, as Debian's; anything else fails. */
async function bySkopeo(
  t: ExecutionContext,
  made: Shop,
  policy: string,
  name: string,
  all: boolean,
): Promise<boolean | undefined> {
  const into = await temporaryDirectory(t)
  const flags = ['--registries.d', made.registriesD, '--policy', policy, '--override-arch', 'amd64']
  const copy = ['copy', '--quiet', '--src-tls-verify=false', ...(all ? ['--all'] : [])]
  const images = [`docker://${name}`, `dir:${into}/image`]
  const { code, stderr } = await run('skopeo', [...flags, ...copy, ...images])
  if (code !== 0 && !stderr.includes('Source image rejected')) throw new Error(stderr)
  return stderr.includes('sigstore disabled') ? undefined : code === 0
}

async function byOrlop(
  t: ExecutionContext,
  made: Shop,
  policy: string,
  name: string,
  all: boolean,
): Promise<boolean> {
  const { resolver } = quickResolver(t)
  const runtime = await openRuntime(t)
  const signatures = resolver.signatures({ directory: made.registriesD })
  const platforms = all ? undefined : [{ matcher: only(parsePlatform('linux/amd64')), text: 'linux/amd64' }]
  const parts = { resolver, scope: runtime.scope(), policy: await loadPolicy(policy), signatures }
  try {
    await pull(parts, name, { platforms })
    return true
  } catch (error) {
    if (hasCode(error, 'PERMISSION_DENIED')) return false
    throw error
  }
}

/** A policy for the images of the shop, or the requirements of its default. */
type Rules = (
  made: Shop,
) => readonly object[] | { readonly docker: object; readonly fallback?: readonly object[] }

/** One image under one policy, judged by both. */
const agrees = (title: string, image: string, rules: Rules, accepted: boolean, all = false): void =>
  testWhere(
    'skopeo',
    'docker-registry',
    'gpg',
  )(
    `skopeo and orlop ${accepted ? 'accept' : 'reject'} ${image}${all ? ' with all platforms' : ''}: ${title}`,
    async t => {
      const made = await shop()
      const given = rules(made)
      const reject = [{ type: 'reject' }]
      const policy =
        'docker' in given
          ? { default: given.fallback ?? reject, transports: { docker: given.docker } }
          : { default: given }
      const fileOf = await policyFile(made, policy)
      const name = `${made.registry.host}/${image}`
      t.is((await bySkopeo(t, made, fileOf, name, all)) ?? accepted, accepted, 'skopeo')
      t.is(await byOrlop(t, made, fileOf, name, all), accepted, 'orlop')
    },
  )

const accept = { type: 'insecureAcceptAnything' }
const reject = { type: 'reject' }
const gpgKey = (made: Shop, more: object = {}) => ({
  type: 'signedBy',
  keyType: 'GPGKeys',
  keyPath: made.keys.gpg,
  ...more,
})
const cosignKey = (made: Shop, more: object = {}) => ({
  type: 'sigstoreSigned',
  keyPath: made.keys.cosign,
  ...more,
})
const identity = (type: string, more: object = {}) => ({ signedIdentity: { type, ...more } })

agrees('everything is accepted', 'plain:1', () => [accept], true)
agrees('everything is rejected', 'plain:1', () => [reject], false)
agrees('one of two requirements rejects', 'plain:1', () => [accept, reject], false)
agrees('signed by the key', 'app:1', made => [gpgKey(made)], true)
agrees('signed by the key, and everything is rejected', 'app:1', made => [gpgKey(made), reject], false)
agrees('signed by another key', 'app:1', made => [gpgKey(made, { keyPath: made.keys.otherGpg })], false)
agrees('a key that is not there', 'app:1', made => [gpgKey(made, { keyPath: '/nonexistent' })], false)
agrees(
  'a type of keys that is not implemented',
  'app:1',
  made => [gpgKey(made, { keyType: 'signedByGPGKeys' })],
  false,
)
agrees('not signed', 'plain:1', made => [gpgKey(made)], false)
agrees('signed as another tag', 'app:2', made => [gpgKey(made)], false)
agrees(
  'signed as another tag of the repository',
  'app:2',
  made => [gpgKey(made, identity('matchRepository'))],
  true,
)
agrees('signed as another tag, exactly', 'app:2', made => [gpgKey(made, identity('matchExact'))], false)
agrees('signed as this tag, exactly', 'app:1', made => [gpgKey(made, identity('matchExact'))], true)
agrees('asked for by digest', `app@${amd.desc.digest}`, made => [gpgKey(made)], true)
agrees(
  'asked for by digest, exactly',
  `app@${amd.desc.digest}`,
  made => [gpgKey(made, identity('matchExact'))],
  false,
)
agrees('signed as another repository', 'moved:1', made => [gpgKey(made)], false)
agrees(
  'signed as another repository, by any name of it',
  'moved:1',
  made => [gpgKey(made, identity('matchRepository'))],
  false,
)
agrees(
  'signed as the one name that is wanted',
  'moved:1',
  made => [gpgKey(made, identity('exactReference', { dockerReference: `${made.registry.host}/app:1` }))],
  true,
)
agrees(
  'not signed as the one name that is wanted',
  'moved:1',
  made => [gpgKey(made, identity('exactReference', { dockerReference: `${made.registry.host}/app:2` }))],
  false,
)
agrees(
  'signed as the one repository that is wanted',
  'moved:1',
  made => [gpgKey(made, identity('exactRepository', { dockerRepository: `${made.registry.host}/app` }))],
  true,
)
agrees(
  'signed as the name that it is mapped to',
  'moved:1',
  ({ registry, ...made }) => [
    gpgKey(
      { registry, ...made },
      identity('remapIdentity', { prefix: `${registry.host}/moved`, signedPrefix: `${registry.host}/app` }),
    ),
  ],
  true,
)
agrees(
  'signed as itself, and mapped elsewhere',
  'app:1',
  made => [gpgKey(made, identity('remapIdentity', { prefix: made.registry.host, signedPrefix: 'q.io' }))],
  false,
)
agrees(
  'the signature of another manifest',
  'stolen:1',
  made => [gpgKey(made, identity('matchRepository'))],
  false,
)
agrees('every manifest of the list signed', 'list:both', made => [gpgKey(made)], true)
agrees('every manifest of the list signed', 'list:both', made => [gpgKey(made)], true, true)
agrees('one manifest of the list signed', 'half:1', made => [gpgKey(made)], true)
agrees('one manifest of the list signed', 'half:1', made => [gpgKey(made)], false, true)
agrees('the list signed, and not its manifests', 'indexed:1', made => [gpgKey(made)], false)
agrees('the list signed, and not its manifests', 'indexed:1', made => [gpgKey(made)], false, true)
agrees('a list asked for by digest', `list@${both.desc.digest}`, made => [gpgKey(made)], true)
agrees(
  'the base layer signed',
  'app:1',
  () => [{ type: 'signedBaseLayer', baseLayerIdentity: { type: 'matchRepository' } }],
  false,
)

agrees('a sigstore signature of the key', 'cosign:1', made => [cosignKey(made)], true)
agrees(
  'a sigstore signature of another key',
  'cosign:1',
  made => [cosignKey(made, { keyPath: made.keys.otherCosign })],
  false,
)
agrees('no sigstore signature', 'app:1', made => [cosignKey(made)], false)
agrees('a sigstore signature where one of gpg is wanted', 'cosign:1', made => [gpgKey(made)], false)
agrees('a sigstore signature of the repository only', 'repo:1', made => [cosignKey(made)], false)
agrees(
  'a sigstore signature of the repository only',
  'repo:1',
  made => [cosignKey(made, identity('matchRepository'))],
  true,
)
agrees(
  'a sigstore signature of the repository only, exactly',
  'repo:1',
  made => [cosignKey(made, identity('matchExact'))],
  false,
)
agrees(
  'sigstore signatures of both keys',
  'repo:1',
  made => [
    cosignKey(made, identity('matchRepository')),
    cosignKey(made, { keyPath: made.keys.otherCosign, ...identity('matchRepository') }),
  ],
  true,
)
agrees(
  'a list with sigstore signatures on itself and one manifest',
  'multi:1',
  made => [cosignKey(made, identity('matchRepository'))],
  true,
)
agrees(
  'a list with sigstore signatures on itself and one manifest',
  'multi:1',
  made => [cosignKey(made, identity('matchRepository'))],
  false,
  true,
)

agrees(
  'the registry is accepted',
  'plain:1',
  ({ registry }) => ({ docker: { [registry.host]: [accept] } }),
  true,
)
agrees('another registry is accepted', 'plain:1', () => ({ docker: { 'other:5000': [accept] } }), false)
agrees('the transport is accepted', 'plain:1', () => ({ docker: { '': [accept] } }), true)
agrees(
  'the repository is accepted, its registry not',
  'plain:1',
  ({ registry }) => ({
    docker: { [registry.host]: [reject], [`${registry.host}/plain`]: [accept] },
  }),
  true,
)
agrees(
  'the tag is rejected, its repository not',
  'plain:1',
  ({ registry }) => ({
    docker: { [`${registry.host}/plain:1`]: [reject], [`${registry.host}/plain`]: [accept] },
  }),
  false,
)
agrees(
  'the digest is rejected, its repository not',
  `plain@${plain.desc.digest}`,
  ({ registry }) => ({
    docker: {
      [`${registry.host}/plain@${plain.desc.digest}`]: [reject],
      [`${registry.host}/plain`]: [accept],
    },
  }),
  false,
)
agrees(
  'the host without its port is accepted',
  'plain:1',
  () => ({ docker: { '127.0.0.1': [accept] } }),
  false,
)
agrees('hosts below are accepted by a wildcard', 'plain:1', () => ({ docker: { '*.0.0.1': [accept] } }), true)
agrees(
  'all hosts are accepted by the widest wildcard',
  'plain:1',
  () => ({ docker: { '*.1': [accept] } }),
  true,
)
agrees('a wildcard for more than the host', 'plain:1', () => ({ docker: { '*.127.0.0.1': [accept] } }), false)
agrees(
  'part of a repository’s name',
  'plain:1',
  ({ registry }) => ({ docker: { [`${registry.host}/pla`]: [accept] } }),
  false,
)

const refusesPolicy = (title: string, policy: unknown): void =>
  testWhere(
    'skopeo',
    'docker-registry',
    'gpg',
  )(`skopeo and orlop refuse a policy with ${title}`, async t => {
    const made = await shop()
    const name = await policyFile(made, policy)
    const { code, stderr } = await run('skopeo', [
      '--policy',
      name,
      'copy',
      'dir:/nonexistent',
      'dir:/nonexistent2',
    ])
    t.is(code, 1)
    t.regex(stderr, /loading trust policy|invalid policy/i)
    await t.throwsAsync(loadPolicy(name), { code: 'INVALID_ARGUMENT' })
  })

refusesPolicy('nothing', '')
refusesPolicy('no default', {})
refusesPolicy('an empty default', { default: [] })
refusesPolicy('an unknown key', { default: [accept], more: 1 })
refusesPolicy('a duplicate key', '{"default":[{"type":"reject"}],"default":[{"type":"reject"}]}')
refusesPolicy('an unknown type', { default: [{ type: 'none' }] })
refusesPolicy('an extra key in a requirement', { default: [{ type: 'reject', keyPath: '/k' }] })
refusesPolicy('a requirement without key', { default: [{ type: 'signedBy', keyType: 'GPGKeys' }] })
refusesPolicy('two keys', { default: [{ type: 'sigstoreSigned', keyPath: '/k', keyData: 'YQ==' }] })
refusesPolicy('a wrong type of keys', { default: [{ type: 'signedBy', keyType: 'GPG', keyPath: '/k' }] })
refusesPolicy('key data that is not base64', { default: [{ type: 'sigstoreSigned', keyData: '!' }] })
refusesPolicy('an empty scope', { default: [accept], transports: { docker: { 'q.io': [] } } })
refusesPolicy('a relative path', { default: [accept], transports: { dir: { 'a/b': [accept] } } })
refusesPolicy('a scope for docker-archive', {
  default: [accept],
  transports: { 'docker-archive': { '/a': [accept] } },
})
refusesPolicy('an identity without its name', {
  default: [{ type: 'sigstoreSigned', keyPath: '/k', ...identity('exactReference') }],
})
refusesPolicy('an identity by a name only', {
  default: [
    { type: 'sigstoreSigned', keyPath: '/k', ...identity('exactReference', { dockerReference: 'q.io/a' }) },
  ],
})
refusesPolicy('a prefix with a tag', {
  default: [
    {
      type: 'sigstoreSigned',
      keyPath: '/k',
      ...identity('remapIdentity', { prefix: 'q.io/a:1', signedPrefix: 'q.io' }),
    },
  ],
})

testWhere(
  'skopeo',
  'docker-registry',
  'gpg',
)('pull() takes what "skopeo copy --sign-by" signed', async t => {
  const made = await shop()
  const [key] = /[0-9A-F]{40}/.exec(made.keys.gpg) ?? ['']
  const name = `${made.registry.host}/signed:1`
  const flags = ['--registries.d', made.registriesD, '--insecure-policy', 'copy', '--quiet', '--sign-by', key]
  const tls = ['--src-tls-verify=false', '--dest-tls-verify=false']
  await output('skopeo', [...flags, ...tls, `docker://${made.registry.host}/plain:1`, `docker://${name}`], {
    env: made.gpg.env,
  })
  t.true(await byOrlop(t, made, await policyFile(made, { default: [gpgKey(made)] }), name, false))
})

testWhere(
  'skopeo',
  'docker-registry',
  'gpg',
)('push() takes signatures along, so that skopeo accepts the image elsewhere', async t => {
  const made = await shop()
  const { host } = made.registry
  const runtime = await openRuntime(t)
  const { resolver } = quickResolver(t)
  const signatures = resolver.signatures({ directory: made.registriesD })
  const parts = { resolver, scope: runtime.scope(), signatures }
  await pull(parts, `${host}/list:both`)
  await pull(parts, `${host}/repo:1`)
  const lists = await push(parts, `${host}/pushed:1`, { image: `${host}/list:both` })
  t.is(lists.signatures, 2)
  const attached = await push(parts, `${host}/attachedthere:1`, { image: `${host}/repo:1` })
  t.is(attached.signatures, 2)
  t.is(
    (await push(parts, `${host}/without:1`, { image: `${host}/repo:1`, removeSignatures: true })).signatures,
    0,
  )
  const signedAs = (name: string) => identity('exactRepository', { dockerRepository: `${host}/${name}` })
  const gpgPolicy = await policyFile(made, { default: [gpgKey(made, signedAs('list'))] })
  t.true(await bySkopeo(t, made, gpgPolicy, `${host}/pushed:1`, true))
  t.true(await byOrlop(t, made, gpgPolicy, `${host}/pushed:1`, true))
  const cosignPolicy = await policyFile(made, { default: [cosignKey(made, signedAs('repo'))] })
  t.true(await byOrlop(t, made, cosignPolicy, `${host}/attachedthere:1`, false))
  t.false(await byOrlop(t, made, cosignPolicy, `${host}/without:1`, false))
  const there = await output('skopeo', ['list-tags', '--tls-verify=false', `docker://${host}/attachedthere`])
  t.deepEqual(JSON.parse(there).Tags.toSorted(), ['1', `${attached.target.digest.replace(':', '-')}.sig`])
})

testWhere(
  'skopeo',
  'docker-registry',
  'gpg',
)('push() sends nothing when its signatures have no place', async t => {
  const made = await shop()
  const { host } = made.registry
  const runtime = await openRuntime(t)
  const { resolver } = quickResolver(t)
  const scope = runtime.scope()
  await pull(
    { resolver, scope, signatures: resolver.signatures({ directory: made.registriesD }) },
    `${host}/repo:1`,
  )
  const signatures = resolver.signatures({ directory: await temporaryDirectory(t) })
  await t.throwsAsync(
    push({ resolver, scope, signatures }, `${host}/nowhere:1`, { image: `${host}/repo:1` }),
    {
      code: 'FAILED_PRECONDITION',
      message: /no place for its sigstore signatures; set use-sigstore-attachments/,
    },
  )
  await t.throwsAsync(resolver.resolve(`${host}/nowhere:1`), { code: 'NOT_FOUND' })
})

/** What is copied out of a directory: by skopeo, and by orlop. */
const copyBoth = async (made: Shop, t: ExecutionContext, from: string, policy: string) => {
  const into = await temporaryDirectory(t)
  const flags = ['--registries.d', made.registriesD, '--policy', policy]
  const { code, stderr } = await run('skopeo', [...flags, 'copy', '--quiet', from, `dir:${into}/theirs`])
  if (code !== 0 && !stderr.includes('Source image rejected')) throw new Error(stderr)
  await using source = await openSource(parsePlace(from))
  await using destination = await openDestination(parsePlace(`dir:${into}/ours`))
  const ours = await copy(source, destination, { policy: await loadPolicy(policy) }).then(
    () => true,
    error => {
      if (hasCode(error, 'PERMISSION_DENIED')) return false
      throw error
    },
  )
  return { theirs: code === 0, ours }
}

const agreesOnCopy = (
  title: string,
  transport: 'dir' | 'oci',
  rules: (made: Shop, directory: string) => { readonly default?: unknown; readonly transports?: unknown },
  accepted: boolean,
): void =>
  testWhere(
    'skopeo',
    'docker-registry',
    'gpg',
  )(`skopeo and orlop ${accepted ? 'accept' : 'reject'} an image of ${transport}: ${title}`, async t => {
    const made = await shop()
    // A link on the way: scopes are those of the directory itself.
    const directory = await fs.realpath(await temporaryDirectory(t))
    const linked = path.join(directory, 'link')
    await fs.mkdir(path.join(directory, 'real'))
    await fs.symlink(path.join(directory, 'real'), linked)
    const from = transport === 'dir' ? `dir:${linked}/image` : `oci:${linked}/image:v1`
    const unsigned = transport === 'oci' ? ['--remove-signatures'] : []
    const flags = ['--registries.d', made.registriesD, '--insecure-policy', 'copy', '--quiet', ...unsigned]
    await output('skopeo', [...flags, '--src-tls-verify=false', `docker://${made.registry.host}/app:1`, from])
    const reject = [{ type: 'reject' }]
    const policy = await policyFile(made, { default: reject, ...rules(made, path.join(directory, 'real')) })
    t.deepEqual(await copyBoth(made, t, from, policy), { theirs: accepted, ours: accepted })
  })

agreesOnCopy('nothing is said of it', 'dir', () => ({}), false)
agreesOnCopy('its transport is accepted', 'dir', () => ({ transports: { dir: { '': [accept] } } }), true)
agreesOnCopy('another transport is accepted', 'dir', () => ({ transports: { oci: { '': [accept] } } }), false)
agreesOnCopy(
  'its directory is accepted',
  'dir',
  (_, at) => ({ transports: { dir: { [`${at}/image`]: [accept] } } }),
  true,
)
agreesOnCopy(
  'a directory above is accepted',
  'dir',
  (_, at) => ({ transports: { dir: { [path.dirname(at)]: [accept] } } }),
  true,
)
agreesOnCopy(
  'a directory above is accepted, its own not',
  'dir',
  (_, at) => ({ transports: { dir: { [at]: [accept], [`${at}/image`]: [reject] } } }),
  false,
)
agreesOnCopy(
  'the link to it is accepted',
  'dir',
  (_, at) => ({ transports: { dir: { [path.join(at, '../link/image')]: [accept] } } }),
  false,
)
agreesOnCopy(
  'a directory whose name begins alike',
  'dir',
  (_, at) => ({ transports: { dir: { [`${at}/ima`]: [accept] } } }),
  false,
)
agreesOnCopy(
  'signed, and it has no name',
  'dir',
  made => ({ default: [gpgKey(made, identity('matchRepository'))] }),
  false,
)
agreesOnCopy(
  'signed as the one name that is wanted',
  'dir',
  made => ({
    default: [gpgKey(made, identity('exactReference', { dockerReference: `${made.registry.host}/app:1` }))],
  }),
  true,
)
agreesOnCopy(
  'its directory is accepted',
  'oci',
  (_, at) => ({ transports: { oci: { [`${at}/image`]: [accept] } } }),
  true,
)
agreesOnCopy(
  'its name in the directory is accepted',
  'oci',
  (_, at) => ({ transports: { oci: { [`${at}/image:v1`]: [accept] } } }),
  false,
)
agreesOnCopy(
  'a directory above is accepted',
  'oci',
  (_, at) => ({ transports: { oci: { [at]: [accept] } } }),
  true,
)
agreesOnCopy('it cannot be signed', 'oci', made => ({ default: [gpgKey(made)] }), false)
