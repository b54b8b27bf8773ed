import { OrlopError } from '../errors.ts'
import { algorithmOf, type Digest, digestOf, parseDigest } from './digest.ts'
import {
  asArray,
  asObject,
  asSize,
  asString,
  asStringMap,
  type JsonObject,
  lookalikes,
  optional,
} from './json.ts'
import { type Platform, platformToJson, readPlatform } from './platform.ts'

/** String annotations, as OCI documents carry them. */
export type Annotations = Readonly<Record<string, string>>

/**
 * What finds a blob and says what it is: parsed once, frozen, never edited.
 *
 * @see image-spec v1.1, descriptor.md
 */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes, ≥ 0. */
  readonly size: number
  /** Other places the bytes may be fetched from. */
  readonly urls?: readonly string[]
  readonly annotations?: Annotations
  /** The blob itself in base64, when it is small enough to travel here; `embeddedData` decodes and checks it. */
  readonly data?: string
  readonly platform?: Platform
  readonly artifactType?: string
}

const refuseLookalikes = lookalikes([
  ...['mediaType', 'digest', 'size', 'urls', 'annotations', 'data', 'platform', 'artifactType'],
])

/**
 * A descriptor out of parsed JSON.
 *
 * @param what  names the place in errors
 * @throws INVALID_ARGUMENT  a field that is missing or of the wrong kind, or a key that differs from a known one only in case
 */
export function readDescriptor(value: unknown, what: string): Descriptor {
  const json = asObject(value, what)
  refuseLookalikes(json, what)
  const data = optional(json.data, `${what}.data`, asString)
  const platform = optional(json.platform, `${what}.platform`, readPlatform)
  const urls = optional(json.urls, `${what}.urls`, (list, at) => asArray(list, at, asString))
  const annotations = optional(json.annotations, `${what}.annotations`, asStringMap)
  const artifactType = optional(json.artifactType, `${what}.artifactType`, asString)
  return Object.freeze({
    mediaType: asString(json.mediaType, `${what}.mediaType`),
    digest: readDigest(json.digest, `${what}.digest`),
    size: asSize(json.size, `${what}.size`),
    ...(urls && { urls }),
    ...(annotations && { annotations }),
    ...(data !== undefined && { data }),
    ...(platform && { platform }),
    ...(artifactType !== undefined && { artifactType }),
  })
}

/** A digest out of parsed JSON, or INVALID_ARGUMENT. */
export function readDigest(value: unknown, what: string): Digest {
  const text = asString(value, what)
  try {
    return parseDigest(text)
  } catch (cause) {
    throw new OrlopError('INVALID_ARGUMENT', `${what}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
}

/** A descriptor as image-spec writes it, keys in the specification's order. */
export const descriptorToJson = (desc: Descriptor): JsonObject => ({
  mediaType: desc.mediaType,
  digest: desc.digest,
  size: desc.size,
  ...(desc.urls && { urls: desc.urls }),
  ...(desc.annotations && { annotations: desc.annotations }),
  ...(desc.data !== undefined && { data: desc.data }),
  ...(desc.platform && { platform: platformToJson(desc.platform) }),
  ...(desc.artifactType !== undefined && { artifactType: desc.artifactType }),
})

/** A frozen descriptor of bytes that are in memory. */
export const descriptorOf = (
  mediaType: string,
  bytes: Uint8Array,
  extra: Partial<Omit<Descriptor, 'mediaType' | 'digest' | 'size'>> = {},
): Descriptor => Object.freeze({ mediaType, digest: digestOf(bytes), size: bytes.byteLength, ...extra })

/** True when both name the same bytes as the same kind of thing; platform and annotations do not count. */
export const sameTarget = (a: Descriptor, b: Descriptor): boolean =>
  a.digest === b.digest && a.size === b.size && a.mediaType === b.mediaType

/**
 * The blob that travels inside the descriptor, or `undefined` when there is none or its size or digest is wrong.
 *
 * @see image-spec v1.1, descriptor.md, Embedded Content
 */
export function embeddedData(
  target: Pick<Descriptor, 'digest' | 'size'> & { readonly data?: string },
): Uint8Array | undefined {
  if (target.data === undefined) return undefined
  const bytes = Buffer.from(target.data, 'base64')
  if (bytes.byteLength !== target.size || digestOf(bytes, algorithmOf(target.digest)) !== target.digest)
    return undefined
  return bytes
}
