import { isOrlopError, OrlopError } from '../../errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../../oci/digest.ts'
import { type Manifest, parseIndex, parseManifest } from '../../oci/document.ts'
import { isIndex } from '../../oci/media-type.ts'
import type { AbortOptions } from '../../options.ts'
import type { PushPlace } from './head.ts'
import { type HttpResponse, headerValue } from './http.ts'
import { hasErrorCode } from './upload-habits.ts'
import { pushScope } from './upload-session.ts'

/** A manifest or index that is to be put somewhere. */
export interface OutgoingManifest {
  readonly mediaType: string
  readonly bytes: Uint8Array
}

/** What a registry made of a manifest. */
export interface PutResult {
  /** The subject that it lists the manifest under by itself; absent where it lists none. */
  readonly subject: string | undefined
}

/** A registry may look at all that a manifest names before it answers. */
const answerMs = 300_000

/**
 * Puts a manifest or index under a tag or its digest.
 *
 * @throws INVALID_ARGUMENT  the registry does not take it: something it names is not there, or its type is not liked
 * @throws FAILED_PRECONDITION  the tag may not be changed
 * @throws DATA_LOSS  the registry stored something else
 */
export async function putManifest(
  { endpoint, repository }: PushPlace,
  name: string,
  { mediaType, bytes }: OutgoingManifest,
  options: AbortOptions,
  headers: Readonly<Record<string, string>> = {},
): Promise<PutResult> {
  const what = `${endpoint.host.name}/${repository}${isDigest(name) ? '@' : ':'}${name}`
  const read = async (response: HttpResponse): Promise<PutResult> => {
    await response.body.dump()
    checkStored(response, bytes, what)
    return { subject: headerValue(response.headers, 'oci-subject') }
  }
  const request = {
    method: 'PUT',
    path: `/${repository}/manifests/${name}`,
    headers: { ...headers, 'content-type': mediaType },
    body: bytes,
    headersMs: answerMs,
    scopes: [pushScope(repository)],
    what,
  } as const
  try {
    return await endpoint.exchange(request, read, options)
  } catch (error) {
    throw hasErrorCode(error, 'TAG_INVALID') && !isDigest(name) ? fixedTag(error) : error
  }
}

/** Some registries call a tag that may not be changed an invalid one. */
const fixedTag = (error: unknown): OrlopError =>
  new OrlopError('FAILED_PRECONDITION', `${error instanceof Error ? error.message : error}`, { cause: error })

function checkStored({ headers }: HttpResponse, bytes: Uint8Array, what: string): void {
  const stored = headerValue(headers, 'docker-content-digest')
  if (stored === undefined || (isDigest(stored) && digestOf(bytes, algorithmOf(stored)) === stored)) return
  throw new OrlopError(
    'DATA_LOSS',
    `${what}: the registry says that it stored ${JSON.stringify(stored.slice(0, 160))}`,
  )
}

/** What is listed of a manifest under its subject. */
export interface Reference {
  readonly subject: Digest
  readonly referrer: Descriptor
}

/**
 * What a manifest or index refers to, and how it is listed there.
 *
 * @returns `undefined` when it refers to nothing, or cannot be read; the registry judges that
 * @see distribution-spec v1.1, Pushing Manifests with Subject
 */
export function referenceOf({ mediaType, bytes }: OutgoingManifest, digest: Digest): Reference | undefined {
  try {
    const { subject, annotations, artifactType } = isIndex({ mediaType })
      ? parseIndex(bytes)
      : withType(bytes)
    if (!subject) return undefined
    const referrer: Descriptor = {
      mediaType,
      digest,
      size: bytes.byteLength,
      ...(annotations && { annotations }),
      ...(artifactType !== undefined && { artifactType }),
    }
    return { subject: subject.digest, referrer }
  } catch (error) {
    if (isOrlopError(error)) return undefined
    throw error
  }
}

/** Listed by the type of its config where a manifest says none of its own. */
function withType(bytes: Uint8Array): Manifest {
  const manifest = parseManifest(bytes)
  return { ...manifest, artifactType: manifest.artifactType ?? manifest.config.mediaType }
}
