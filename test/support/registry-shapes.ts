import fs from 'node:fs/promises'
import path from 'node:path'
import { credentialFor, noCredentials } from '../../src/remotes/registry/credentials.ts'
import { defaultHost } from '../../src/remotes/registry/hosts.ts'
import type { RegistryResolverOptions } from '../../src/remotes/registry/resolver.ts'
import {
  type DockerRegistry,
  type DockerRegistryOptions,
  registryUser,
  startDockerRegistry,
} from './docker-registry.ts'
import { testAuthority } from './tls.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'
import { startTokenServer, type TokenServer } from './token-server.ts'

/** How to reach one registry. */
export interface Reach {
  /** `127.0.0.1:<port>` */
  readonly host: string
  /** For `RegistryResolver`: credentials, authorities, client certificates. */
  readonly options: RegistryResolverOptions
  /** Flags for `skopeo inspect` and `skopeo list-tags`; `from` and `to` for `skopeo copy` out of it and into it. */
  readonly skopeo: readonly string[]
  readonly from: readonly string[]
  readonly to: readonly string[]
}

/** A docker-registry in some shape that runs. */
export interface ShapedRegistry extends Reach {
  /** Where to put what it should have: itself, or what it takes its content from. */
  readonly source: Reach
  /** Who issues its tokens, where somebody does. */
  readonly tokens?: TokenServer
}

/** A shape that registries come in. */
export interface RegistryShape {
  readonly name: string
  /** Whether it can be pushed to, and whether manifests can be deleted from it. */
  readonly writable: boolean
  readonly deletes: boolean
  start(t: Teardown): Promise<ShapedRegistry>
}

/** Debian's docker-registry in every shape that matters to a client; needs `docker-registry`, and `skopeo` for its flags. */
export const registryShapes: readonly RegistryShape[] = [
  shape('open', {}),
  shape('with deletion off', { deletes: false }),
  shape('htpasswd Basic', { auth: 'basic' }),
  tokenShape('tokens by OAuth', { oauth: true }),
  tokenShape('tokens by GET alone', { oauth: false }),
  shape('TLS with an authority of its own', { tls: testAuthority.server }),
  shape('TLS with client certificates', { tls: { ...testAuthority.server, clientCa: testAuthority.ca } }),
  {
    name: 'pull-through mirror',
    writable: false,
    deletes: false,
    start: async t => {
      const source = await reach(t, await startDockerRegistry(t), {})
      const options = { proxyOf: `http://${source.host}` }
      return { ...(await reach(t, await startDockerRegistry(t, options), options)), source }
    },
  },
  {
    name: 'read-only',
    writable: false,
    deletes: false,
    start: async t => {
      const writable = await startDockerRegistry(t)
      const options = { readOnly: true, storage: writable.storage }
      const source = await reach(t, writable, {})
      return { ...(await reach(t, await startDockerRegistry(t, options), options)), source }
    },
  },
]

/** The shapes that can be pushed to. */
export const writableShapes: readonly RegistryShape[] = registryShapes.filter(({ writable }) => writable)

function shape(name: string, options: DockerRegistryOptions): RegistryShape {
  return {
    name,
    writable: true,
    deletes: options.deletes ?? true,
    start: async t => selfFed(await reach(t, await startDockerRegistry(t, options), options)),
  }
}

function tokenShape(name: string, options: { readonly oauth: boolean }): RegistryShape {
  return {
    name,
    writable: true,
    deletes: true,
    start: async t => {
      const tokens = await startTokenServer(t, options)
      const registry = await startDockerRegistry(t, tokens)
      return { ...selfFed(await reach(t, registry, tokens)), tokens }
    },
  }
}

const selfFed = (itself: Reach): ShapedRegistry => ({ ...itself, source: itself })

async function reach(
  t: Teardown,
  { host }: DockerRegistry,
  { auth = 'open', tls }: DockerRegistryOptions,
): Promise<Reach> {
  const { name: username, password } = registryUser
  const credentials = auth === 'open' ? noCredentials : credentialFor(host, { username, password })
  const connection = tls && {
    ca: [testAuthority.ca],
    ...(tls.clientCa !== undefined && { certificates: [testAuthority.client] }),
  }
  const hosts: RegistryResolverOptions['hosts'] = async ({ domain }) => [
    { ...defaultHost(domain), connection },
  ]
  const directory = tls && (await certificates(t, tls.clientCa !== undefined))
  const flags = (side: string): readonly string[] => [
    ...(directory === undefined ? [`--${side}tls-verify=false`] : [`--${side}cert-dir=${directory}`]),
    ...(auth === 'open' ? [`--${side}no-creds`] : [`--${side}creds=${username}:${password}`]),
  ]
  return { host, options: { credentials, hosts }, skopeo: flags(''), from: flags('src-'), to: flags('dest-') }
}

/** A directory as containers/image wants its certificates. */
async function certificates(t: Teardown, withClient: boolean): Promise<string> {
  const directory = await temporaryDirectory(t)
  const { ca, client } = testAuthority
  const files = { 'ca.crt': ca, ...(withClient && { 'client.cert': client.cert, 'client.key': client.key }) }
  for (const [name, text] of Object.entries(files)) await fs.writeFile(path.join(directory, name), text)
  return directory
}
