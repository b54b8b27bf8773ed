import test, { type ExecutionContext } from 'ava'
import { mediaTypes } from '../../../src/oci/media-type.ts'
import type { Credential } from '../../../src/remotes/registry/credential.ts'
import { credentialFor } from '../../../src/remotes/registry/credentials.ts'
import { defaultHost, type Host, type Hosts } from '../../../src/remotes/registry/hosts.ts'
import type { RegistryResolver } from '../../../src/remotes/registry/resolver.ts'
import { type Exchange, startRecorder, startRegistry, type TestRegistry } from '../../support/registry.ts'
import type { RegistryAuth } from '../../support/registry-auth.ts'
import { redirect } from '../../support/registry-faults.ts'
import { collect, quickResolver } from '../../support/resolver.ts'

const username = 'keeper'
const password = 'hunter2-password'
const identityToken = 'hunter2-identity'
const registryToken = 'hunter2-registry'
const secrets = ['hunter2', btoa(`${username}:${password}`), 'token-1-secret', 'token-2-secret']

/** The ways to be let in, each with what shows it. */
const ways: Readonly<Record<string, { auth: RegistryAuth; credential: Credential }>> = {
  Basic: { auth: { type: 'basic', username, password }, credential: { username, password } },
  Bearer: { auth: { type: 'bearer', username, password }, credential: { username, password } },
  'an identity token': { auth: { type: 'bearer', identityToken }, credential: { identityToken } },
  'a registry token': {
    auth: { type: 'bearer', registryToken, username, password },
    credential: { registryToken },
  },
}

/** A place where a secret could leak to: the registry that has one, and an origin that records all that it is sent. */
interface Scene {
  readonly registry: TestRegistry
  /** The other origin, and what it answers. */
  readonly other: { readonly host: string; readonly requests: readonly object[] }
  readonly image: ReturnType<TestRegistry['image']>
  readonly reference: string
  readonly resolver: RegistryResolver
}

interface Leak {
  /** What leads to the other origin, set up before anything is sent. */
  readonly tempt?: (registry: TestRegistry, other: string) => void
  /** Endpoints, where they are not the registry alone. */
  readonly hosts?: (registry: TestRegistry, other: string) => readonly Host[]
  /** How the other origin answers; default: it wants Basic. */
  readonly answer?: (exchange: Omit<Exchange, 'answer'>, self: string, registry: string) => void
  readonly act: (scene: Scene) => Promise<unknown>
}

const challenge =
  (header: (self: string, registry: string) => string): NonNullable<Leak['answer']> =>
  ({ request, response }, self, registry) => {
    const isToken = request.url?.startsWith('/token') === true
    response.writeHead(isToken ? 200 : 401, isToken ? {} : { 'www-authenticate': header(self, registry) })
    response.end(isToken ? '{"token":"theirs"}' : '')
  }
const wantsBasic = challenge(() => 'Basic realm="give"')
const wantsBearer = challenge(self => `Bearer realm="http://${self}/token",service="s"`)

const keeps = test.macro<[string, Leak, keyof typeof ways]>({
  exec: async (t, _what, leak, way) => {
    const scene = await set(t, leak, way)
    await leak.act(scene).catch(() => undefined)
    t.true(
      scene.registry.requests.some(({ headers }) => headers.authorization !== undefined),
      'the registry was shown nothing',
    )
    t.true(scene.other.requests.length > 0, 'the other origin was not reached')
    const seen = JSON.stringify(scene.other.requests)
    for (const secret of secrets) t.false(seen.includes(secret), `${secret} in ${seen}`)
    t.false(/"authorization":"(?!Bearer theirs")/.test(seen), seen)
  },
  title: (_, what, _leak, way) => `no secret of a registry with ${way} reaches another origin by ${what}`,
})

async function set(t: ExecutionContext, leak: Leak, way: keyof typeof ways): Promise<Scene> {
  const { auth, credential } = ways[way] ?? { auth: { type: 'basic' }, credential: { registryToken } }
  const registry = await startRegistry(t, { auth })
  const { answer = wantsBasic } = leak
  const other = await startRecorder(t, exchange => answer(exchange, other.host, registry.host))
  const image = registry.image('a/b', 'v1', 'layer')
  leak.tempt?.(registry, other.host)
  const hosts: Hosts | undefined = leak.hosts && (async () => leak.hosts?.(registry, other.host) ?? [])
  const credentials = credentialFor(registry.host, credential)
  const { resolver } = quickResolver(t, { credentials, hosts, allowPrivateUrls: true })
  return { registry, other, image, reference: `${registry.host}/a/b:v1`, resolver }
}

const readLayer = async ({ resolver, reference, image }: Scene): Promise<void> => {
  const [layer] = image.layers
  if (layer) await collect((await resolver.fetcher(reference)).read(layer))
}

/** Faults come only to those who were let in, so that the secret has been shown. */
const onceIn =
  (location: (other: string) => string, code?: number) =>
  (pattern: RegExp): NonNullable<Leak['tempt']> =>
  (registry, other) =>
    registry.always(pattern, exchange => {
      const sound = exchange.answer()
      if (sound.status !== 401) return redirect(location(other), code)(exchange)
      exchange.response.writeHead(401, sound.headers as Record<string, string>).end()
    })

const elsewhere = onceIn(other => `http://${other}/elsewhere`)
const mirror =
  (name: (registry: TestRegistry, other: string) => string): NonNullable<Leak['hosts']> =>
  (registry, other) => [
    { ...defaultHost(other), name: name(registry, other), standsFor: registry.host },
    defaultHost(registry.host),
  ]

const leaks: Readonly<Record<string, Leak>> = {
  'a redirect of a blob': { tempt: elsewhere(/blobs/), act: readLayer },
  'a redirect of a manifest': {
    tempt: elsewhere(/GET .*manifests/),
    act: async ({ resolver, reference, image }) =>
      collect((await resolver.fetcher(reference)).read(image.manifest)),
  },
  'a redirect of a tag': {
    tempt: elsewhere(/HEAD .*manifests/),
    act: ({ resolver, reference }) => resolver.resolve(reference),
  },
  'a redirect with 308 and a user in its URL': {
    tempt: onceIn(other => `http://x:y@${other}/elsewhere`, 308)(/blobs/),
    act: readLayer,
  },
  'a redirect to an origin that wants a token': {
    tempt: elsewhere(/blobs/),
    answer: wantsBearer,
    act: readLayer,
  },
  'a mirror that wants Basic': {
    hosts: mirror((_, other) => other),
    act: ({ resolver, reference }) => resolver.resolve(reference),
  },
  'a mirror that wants a token': {
    hosts: mirror((_, other) => other),
    answer: wantsBearer,
    act: ({ resolver, reference }) => resolver.resolve(reference),
  },
  'a mirror that goes by the name of the registry': {
    hosts: mirror(registry => registry.host),
    answer: wantsBearer,
    act: ({ resolver, reference }) => resolver.resolve(reference),
  },
  'a mirror whose token server is the registry’s': {
    hosts: mirror((_, other) => other),
    answer: challenge((_, registry) => `Bearer realm="http://${registry}/token",service="test, service"`),
    act: async scene => {
      await scene.resolver.resolve(scene.reference)
      await readLayer(scene)
    },
  },
  'a foreign layer (CVE-2020-15157)': {
    act: async ({ registry, resolver, reference, other }) => {
      await resolver.resolve(reference)
      const absent = registry.blob('elsewhere', 'far away', mediaTypes.dockerForeignLayer)
      const urls = [`http://${other.host}/layer`]
      await collect((await resolver.fetcher(reference)).read({ ...absent, urls }))
    },
  },
  'a foreign layer that wants a token (CVE-2020-15157)': {
    answer: wantsBearer,
    act: async ({ registry, resolver, reference, other }) => {
      await resolver.resolve(reference)
      const absent = registry.blob('elsewhere', 'far away', mediaTypes.dockerForeignLayer)
      await collect(
        (await resolver.fetcher(reference)).read({ ...absent, urls: [`http://${other.host}/layer`] }),
      )
    },
  },
  'a lookaside of signatures': {
    answer: ({ response }) => {
      response.writeHead(404).end()
    },
    act: async ({ resolver, reference, image, other }) => {
      await resolver.resolve(reference)
      const source = resolver.signatures({ lookaside: `http://${other.host}/sigs` })
      await source.signatures(reference, image.manifest.digest, { required: false })
    },
  },
  'another registry of the same user': {
    answer: wantsBearer,
    act: async ({ resolver, reference, other }) => {
      await resolver.resolve(reference)
      await resolver.resolve(`${other.host}/a/b:v1`)
    },
  },
}

for (const [what, leak] of Object.entries(leaks))
  for (const way of Object.keys(ways)) test(keeps, what, leak, way)
