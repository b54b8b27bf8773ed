import { randomBytes } from 'node:crypto'
import { OrlopError } from '../../errors.ts'
import {
  maxPayloadSize,
  maxSignatureSize,
  maxSignatures,
  type SimpleSignature,
} from '../../images/signature.ts'
import type { Digest } from '../../oci/digest.ts'
import { asArray, asObject, asString, type JsonObject, parseJson } from '../../oci/json.ts'
import type { AbortOptions } from '../../options.ts'
import type { Endpoint, EndpointRequest } from './endpoint.ts'
import { type HttpResponse, headerValue, readUpTo } from './http.ts'
import { repositoryScope } from './scope.ts'

/** One repository at an endpoint. */
export interface RepositoryAt {
  readonly endpoint: Pick<Endpoint, 'host' | 'exchange'>
  /** The repository's path there. */
  readonly path: string
}

/**
 * Where a registry keeps signatures itself: it says so in the header X-Registry-Supports-Signatures of `/v2/`.
 *
 * @returns the origin of the extension, or `undefined` when the registry has none
 */
export async function findExtension(
  { endpoint }: Pick<RepositoryAt, 'endpoint'>,
  options: AbortOptions = {},
): Promise<URL | undefined> {
  const read = async (response: HttpResponse): Promise<URL | undefined> => {
    await response.body.dump()
    const says = headerValue(response.headers, 'x-registry-supports-signatures')
    return says === '1' && !response.crossed ? new URL(response.url.origin) : undefined
  }
  const what = `${endpoint.host.name}: whether it keeps signatures`
  // What counts is the header, which comes with refusals too.
  const request = { method: 'GET', path: '/', scopes: [], what, accept: [401, 403, 404, 405] } as const
  return endpoint.exchange(request, read, options)
}

/**
 * The simple signings that a registry keeps of a manifest; entries of other kinds are passed over.
 *
 * @param origin  as `findExtension` gave it
 * @throws RESOURCE_EXHAUSTED  more than 4 MiB, or more than 128 of them
 * @throws INVALID_ARGUMENT  an answer that is not what it should be
 */
export async function readExtension(
  at: RepositoryAt,
  origin: URL,
  digest: Digest,
  options: AbortOptions = {},
): Promise<readonly SimpleSignature[]> {
  const request = requestOf(at, origin, digest, 'pull')
  const read = async (response: HttpResponse): Promise<readonly SimpleSignature[]> => {
    if (response.status === 404) {
      await response.body.dump()
      return []
    }
    const { bytes, whole } = await readUpTo(response.body, maxPayloadSize)
    if (!whole) throw tooMuch(request.what, `more than ${maxPayloadSize} bytes`)
    return parse(bytes, request.what)
  }
  return at.endpoint.exchange({ ...request, accept: [404] }, read, options)
}

function parse(bytes: Uint8Array, what: string): readonly SimpleSignature[] {
  const { signatures } = asObject(parseJson(bytes, what), what)
  const all =
    signatures === null || signatures === undefined ? [] : asArray(signatures, `${what}.signatures`, asObject)
  const known = all.filter(({ schemaVersion, type }) => schemaVersion === 2 && type === 'atomic')
  if (known.length > maxSignatures) throw tooMuch(what, `more than ${maxSignatures}`)
  return known.map(entry => ({ format: 'simple-signing', bytes: contentOf(entry, what) }))
}

function contentOf({ content }: JsonObject, what: string): Uint8Array {
  const bytes = Buffer.from(asString(content, `${what}: content`), 'base64')
  if (bytes.byteLength > maxSignatureSize)
    throw tooMuch(what, `a signature of more than ${maxSignatureSize} bytes`)
  return bytes
}

/**
 * Adds a simple signing to those that a registry keeps of a manifest.
 *
 * @throws PERMISSION_DENIED, UNAUTHENTICATED  the registry refuses
 */
export async function writeExtension(
  at: RepositoryAt,
  origin: URL,
  digest: Digest,
  { bytes }: SimpleSignature,
  options: AbortOptions = {},
): Promise<void> {
  const body = JSON.stringify({
    schemaVersion: 2,
    name: `${digest}@${randomBytes(16).toString('hex')}`,
    type: 'atomic',
    content: Buffer.from(bytes).toString('base64'),
  })
  const headers = { 'content-type': 'application/json' }
  const request = { ...requestOf(at, origin, digest, 'push'), method: 'PUT', headers, body } as const
  await at.endpoint.exchange(request, response => response.body.dump(), options)
}

function requestOf(
  { endpoint, path }: RepositoryAt,
  origin: URL,
  digest: Digest,
  action: 'pull' | 'push',
): EndpointRequest & { readonly method: 'GET' } {
  return {
    method: 'GET',
    path: '/',
    location: new URL(`/extensions/v2/${path}/signatures/${digest}`, origin),
    scopes: [action === 'pull' ? repositoryScope(path, 'pull') : repositoryScope(path, 'pull', 'push')],
    what: `${endpoint.host.name}/${path}: signatures of ${digest}`,
  }
}

const tooMuch = (what: string, why: string): OrlopError =>
  new OrlopError('RESOURCE_EXHAUSTED', `${what}: ${why}`)
