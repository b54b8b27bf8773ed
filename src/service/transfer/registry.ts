import { create } from '@bufbuild/protobuf'
import { Turns } from '../../content/turns.ts'
import { OrlopError } from '../../errors.ts'
import type { OnProgress } from '../../remotes/progress.ts'
import { configuredHosts } from '../../remotes/registry/configured-hosts.ts'
import { type Credential, type Credentials, canonicalHost } from '../../remotes/registry/credential.ts'
import { noCredentials } from '../../remotes/registry/credentials.ts'
import { defaultHosts, type Hosts } from '../../remotes/registry/hosts.ts'
import { RegistryResolver } from '../../remotes/registry/resolver.ts'
import { pack, unpack } from '../any.ts'
import {
  AuthRequestSchema,
  type AuthResponse,
  AuthResponseSchema,
  AuthType,
  type OCIRegistry,
} from '../gen/containerd/types/transfer/registry_pb.ts'
import { orAborted } from '../or-aborted.ts'
import type { Stream } from '../streams.ts'
import { streamOf, type TransferWork } from './work.ts'

/** How progress calls a registry. */
export const registryName = ({ reference }: OCIRegistry): string => `OCI Registry (${reference})`

/**
 * The registries as a request wants them: by its hosts directory, with its headers, and with credentials that its client is
 * asked for.
 *
 * @throws NOT_FOUND  no such stream for credentials
 * @throws INVALID_ARGUMENT  a header that is none
 */
export function openRegistry(
  work: TransferWork,
  { reference, resolver }: OCIRegistry,
  onProgress: OnProgress,
): RegistryResolver {
  const { authStream = '', hostDir = '', defaultScheme = '', headers = {} } = resolver ?? {}
  const stream = authStream === '' ? undefined : streamOf(work, authStream)
  const credentials = stream === undefined ? noCredentials : askOn(stream, reference, work)
  const plainHttp = defaultScheme === 'http'
  const hosts =
    hostDir === '' ? defaultHosts({ plainHttp }) : configuredHosts({ hostsDirectory: hostDir, plainHttp })
  return new RegistryResolver({ credentials, plainHttp, hosts: withHeaders(hosts, headers), onProgress })
}

/**
 * Hosts that are sent some headers too: the registry itself, and no mirror of it, for there may be a secret in them. Those
 * of a hosts.toml count before these.
 */
function withHeaders(hosts: Hosts, headers: Readonly<Record<string, string>>): Hosts {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  if (entries.length === 0) return hosts
  for (const [name, value] of entries) checkHeader(name, value)
  const more = Object.fromEntries(entries)
  return async (place, options) =>
    (await hosts(place, options)).map(host =>
      canonicalHost(host.address) === canonicalHost(place.domain)
        ? { ...host, headers: { ...more, ...host.headers } }
        : host,
    )
}

/** The value is not told: it may be a secret. */
function checkHeader(name: string, value: string): void {
  if (/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) && !/[^\t\x20-\x7e\x80-\xff]/.test(value)) return
  throw new OrlopError('INVALID_ARGUMENT', `transfer: header ${JSON.stringify(name.slice(0, 80))} is none`)
}

/** Asks the client for credentials, one question at a time. */
function askOn(stream: Stream, reference: string, { call: { signal } }: TransferWork): Credentials {
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
      return fromHeader(secret)
    default:
      return undefined
  }
}

/** What an `Authorization` header says. */
function fromHeader(header: string): Credential {
  const [, scheme = '', rest = ''] = /^([a-z]+) +(\S+)$/i.exec(header) ?? []
  if (/^bearer$/i.test(scheme)) return { registryToken: rest }
  const basic = /^basic$/i.test(scheme) ? Buffer.from(rest, 'base64').toString() : ''
  const at = basic.indexOf(':')
  if (at > 0) return { username: basic.slice(0, at), password: basic.slice(at + 1) }
  throw new OrlopError(
    'UNIMPLEMENTED',
    'transfer: of headers with credentials, Basic and Bearer are understood',
  )
}
