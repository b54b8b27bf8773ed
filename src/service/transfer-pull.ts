import { create } from '@bufbuild/protobuf'
import { Turns } from '../content/turns.ts'
import { OrlopError } from '../errors.ts'
import { withLease } from '../metadata/with-lease.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { only } from '../oci/matcher.ts'
import { formatPlatformAll } from '../oci/platform.ts'
import type { OnProgress } from '../remotes/progress.ts'
import { configuredHosts } from '../remotes/registry/configured-hosts.ts'
import type { Credential, Credentials } from '../remotes/registry/credential.ts'
import { noCredentials } from '../remotes/registry/credentials.ts'
import { RegistryResolver } from '../remotes/registry/resolver.ts'
import { fetchImage } from '../runtime/pull.ts'
import type { Scope } from '../runtime/runtime.ts'
import { pack, unpack } from './any.ts'
import type { ImageStore } from './gen/containerd/types/transfer/imagestore_pb.ts'
import {
  AuthRequestSchema,
  type AuthResponse,
  AuthResponseSchema,
  AuthType,
  type OCIRegistry,
} from './gen/containerd/types/transfer/registry_pb.ts'
import { platformOf } from './messages.ts'
import { orAborted } from './or-aborted.ts'
import { namespaceOf, type ServiceParts } from './parts.ts'
import type { Call } from './rpc.ts'
import type { Stream, Streams } from './streams.ts'
import type { Reporter } from './transfer-progress.ts'
import { storeImage } from './transfer-store.ts'

/** What a pull by the service works with. */
export interface PullWork {
  readonly parts: ServiceParts
  readonly streams: Streams
  readonly scope: Scope
  readonly progress: Reporter
  readonly call: Call
}

/** Copies an image out of a registry and names it; with the lease of the call, or one for a day. */
export async function pullImage(work: PullWork, from: OCIRegistry, to: ImageStore): Promise<void> {
  const { scope, progress, call } = work
  const { reference } = from
  const named = { ...to, name: to.name || reference }
  const source = `OCI Registry (${reference})`
  progress.tell(`Resolving from ${source}`)
  const target = await underLease(scope, call, async leased => {
    const fetched = await fetchAll({ ...work, scope: leased }, from, named)
    await storeImage(leased.images, named, fetched, call)
    return fetched
  })
  progress.tell('saved', named.name, target)
  progress.tell(`Completed pull from ${source}`)
}

const underLease = <T>(scope: Scope, call: Call, work: (leased: Scope) => Promise<T>): Promise<T> =>
  call.header('containerd-lease') !== ''
    ? work(scope)
    : withLease(scope.leases, { signal: call.signal }, ({ id }) => work(scope.under(id)))

async function fetchAll(work: PullWork, from: OCIRegistry, to: ImageStore): Promise<Descriptor> {
  const { scope, progress, call } = work
  const { reference } = from
  const onProgress: OnProgress = event => {
    if (event.type === 'resolved') {
      progress.tell(`Pulling from OCI Registry (${reference})`)
      progress.tell('fetching image content', to.name, event.target)
    } else if ('ref' in event) progress.blob(to.name, event)
  }
  await using resolver = openResolver(work, from, onProgress)
  const { signal } = call
  const platforms = to.platforms.map(message => {
    const platform = platformOf(message)
    return { matcher: only(platform), text: formatPlatformAll(platform) }
  })
  const options = { concurrency: 3, onProgress, signal, ...(platforms.length > 0 && { platforms }) }
  const parts = { resolver, scope }
  // Manifests and configs of all platforms too, where the client wants them; they are not fetched again below.
  if (to.allMetadata && platforms.length > 0) {
    await fetchImage(parts, reference, { ...options, platforms: undefined, metadataOnly: true })
  }
  return await fetchImage(parts, reference, options)
}

function openResolver(
  work: PullWork,
  { reference, resolver }: OCIRegistry,
  onProgress: OnProgress,
): RegistryResolver {
  const { authStream = '', hostDir = '', defaultScheme = '' } = resolver ?? {}
  const stream = authStream === '' ? undefined : work.streams.get(namespaceOf(work.call), authStream)
  const credentials = stream === undefined ? noCredentials : askOn(stream, reference, work.call)
  const plainHttp = defaultScheme === 'http'
  const hosts = hostDir === '' ? undefined : configuredHosts({ hostsDirectory: hostDir, plainHttp })
  return new RegistryResolver({ credentials, plainHttp, hosts, onProgress })
}

/** Asks the client for credentials, one question at a time. */
function askOn(stream: Stream, reference: string, { signal }: Call): Credentials {
  const turns = new Turns()
  return host =>
    turns.run('', async () => {
      const request = create(AuthRequestSchema, { host, reference })
      if (!(await orAborted(stream.send(pack(AuthRequestSchema, request)), signal))) return undefined
      const answer = await orAborted(stream.receive(), signal)
      return answer && credentialOf(unpack(AuthResponseSchema, answer))
    })
}

function credentialOf({ authType, username, secret }: AuthResponse): Credential | undefined {
  switch (authType) {
    case AuthType.CREDENTIALS:
      return { username, password: secret }
    case AuthType.REFRESH:
      return secret === '' ? undefined : { identityToken: secret }
    case AuthType.HEADER:
      throw new OrlopError('UNIMPLEMENTED', 'credentials as a header are not taken; give a user or a token')
    default:
      return undefined
  }
}
