import { OrlopError } from '../errors.ts'
import { type Annotations, type Descriptor, readDescriptor } from './descriptor.ts'
import {
  asArray,
  asObject,
  asString,
  asStringMap,
  isObject,
  type JsonObject,
  lookalikes,
  optional,
  parseJson,
} from './json.ts'
import { isIndex, isManifest, isSchema1 } from './media-type.ts'

/** A manifest or index larger than this is refused before it is read: 4 MiB, as registries agree on. */
export const maxManifestSize = 4 * 1024 * 1024

/** An image index, or Docker's manifest list: parsed once and frozen. */
export interface Index {
  readonly mediaType?: string
  readonly artifactType?: string
  readonly manifests: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations?: Annotations
}

/** An image manifest of OCI or Docker schema 2: parsed once and frozen. */
export interface Manifest {
  readonly mediaType?: string
  readonly artifactType?: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations?: Annotations
}

/**
 * An index out of the bytes of a blob.
 *
 * @param what  names the blob in errors
 * @throws INVALID_ARGUMENT  not JSON, ambiguous (see `refuseAmbiguous`), or a field of the wrong kind
 * @see image-spec v1.1, image-index.md
 */
export function parseIndex(bytes: Uint8Array, what = 'index'): Index {
  const json = readDocument(bytes, what, 'index')
  const base = common(json, what)
  const manifests = optional(json.manifests, `${what}.manifests`, descriptors) ?? []
  return Object.freeze({ ...base, manifests })
}

/**
 * A manifest out of the bytes of a blob.
 *
 * @param what  names the blob in errors
 * @throws INVALID_ARGUMENT  not JSON, ambiguous (see `refuseAmbiguous`), or a field of the wrong kind
 * @see image-spec v1.1, manifest.md
 */
export function parseManifest(bytes: Uint8Array, what = 'manifest'): Manifest {
  const json = readDocument(bytes, what, 'manifest')
  const base = common(json, what)
  return Object.freeze({
    ...base,
    config: readDescriptor(json.config, `${what}.config`),
    layers: optional(json.layers, `${what}.layers`, descriptors) ?? Object.freeze([]),
  })
}

const descriptors = (value: unknown, what: string): readonly Descriptor[] =>
  asArray(value, what, readDescriptor)

const common = (json: JsonObject, what: string) => {
  const mediaType = optional(json.mediaType, `${what}.mediaType`, asString)
  const artifactType = optional(json.artifactType, `${what}.artifactType`, asString)
  const subject = optional(json.subject, `${what}.subject`, readDescriptor)
  const annotations = optional(json.annotations, `${what}.annotations`, asStringMap)
  return {
    ...(mediaType && { mediaType }),
    ...(artifactType && { artifactType }),
    ...(subject && { subject }),
    ...(annotations && { annotations }),
  }
}

type Kind = 'index' | 'manifest'

const readDocument = (bytes: Uint8Array, what: string, kind: Kind): JsonObject => {
  if (bytes.byteLength > maxManifestSize) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${what}: ${bytes.byteLength} bytes, more than the ${maxManifestSize} allowed`,
    )
  }
  const json = asObject(parseJson(bytes, what), what)
  refuseAmbiguous(json, what, kind)
  return json
}

const refuseLookalikes = lookalikes([
  ...['schemaVersion', 'mediaType', 'artifactType', 'manifests', 'config', 'layers', 'fsLayers'],
  ...['subject', 'annotations'],
])

/**
 * Refuses a document that another program may take for something else.
 *
 * That is: Docker schema 1; fields of both an index and a manifest (a key that is there but null counts); a `mediaType`
 * of the other kind; a key that differs from a known one only in case, which Go's decoder would take for it.
 *
 * @throws INVALID_ARGUMENT  for each of them
 * @see CVE-2021-41190; containerd core/images/image.go, validateMediaType
 */
export function refuseAmbiguous(json: JsonObject, what: string, kind: Kind): void {
  const refuse = (why: string): never => {
    throw new OrlopError('INVALID_ARGUMENT', `${what}: ${why}`)
  }
  if (Object.hasOwn(json, 'fsLayers'))
    refuse('Docker schema 1 manifests are not supported; push the image again in a newer format')
  refuseLookalikes(json, what)
  const foreign = (kind === 'index' ? ['config', 'layers'] : ['manifests']).filter(key =>
    Object.hasOwn(json, key),
  )
  if (foreign.length > 0)
    refuse(`an ${article(kind)} must not have ${foreign.map(key => `"${key}"`).join(' and ')}`)
  const { mediaType } = json
  if (typeof mediaType !== 'string') return
  if (isSchema1({ mediaType }))
    refuse('Docker schema 1 manifests are not supported; push the image again in a newer format')
  if (kind === 'index' ? isManifest({ mediaType }) : isIndex({ mediaType })) {
    refuse(`an ${article(kind)} must not have mediaType ${mediaType}`)
  }
}

const article = (kind: Kind): string => (kind === 'index' ? 'index' : 'image manifest')

/** Which of the two a document is by its fields, for bytes that come without a media type; `undefined` when neither. */
export function kindOfDocument(value: unknown): Kind | undefined {
  if (!isObject(value)) return undefined
  if (Object.hasOwn(value, 'manifests')) return 'index'
  return Object.hasOwn(value, 'config') || Object.hasOwn(value, 'layers') ? 'manifest' : undefined
}
