import { OrlopError } from '../errors.ts'
import { readDigest } from './descriptor.ts'
import type { Digest } from './digest.ts'
import { asArray, asObject, asString, type JsonObject, lookalikes, optional, parseJson } from './json.ts'
import { type Platform, readPlatform } from './platform.ts'

/** A config larger than this is refused before it is read: 1 MiB. */
export const maxConfigSize = 1024 * 1024

/** One line of an image's history. @see image-spec v1.1, config.md, history */
export interface HistoryEntry {
  readonly created?: string
  readonly createdBy?: string
  readonly author?: string
  readonly comment?: string
  readonly emptyLayer?: boolean
}

/** An image config: the parts that orlop reads, and all of it in `json`. Parsed once and frozen. */
export interface ImageConfig {
  readonly platform: Platform
  /** Digests of the uncompressed layers, lowest first; empty for an artifact's config. */
  readonly diffIds: readonly Digest[]
  readonly history: readonly HistoryEntry[]
  readonly created?: string
  readonly author?: string
  readonly json: JsonObject
}

const refuseLookalikes = lookalikes(['rootfs', 'history', 'created', 'author'])
const refuseInRootfs = lookalikes(['type', 'diff_ids'])

/**
 * An image config out of the bytes of a blob. `{}`, the empty config of artifacts, is one without platform and layers.
 *
 * @param what  names the blob in errors
 * @throws INVALID_ARGUMENT  not JSON, or a field of the wrong kind
 * @see image-spec v1.1, config.md
 */
export function parseImageConfig(bytes: Uint8Array, what = 'config'): ImageConfig {
  if (bytes.byteLength > maxConfigSize) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${what}: ${bytes.byteLength} bytes, more than the ${maxConfigSize} allowed`,
    )
  }
  const json = asObject(parseJson(bytes, what), what)
  refuseLookalikes(json, what)
  const rootfs = optional(json.rootfs, `${what}.rootfs`, asObject)
  if (rootfs) refuseInRootfs(rootfs, `${what}.rootfs`)
  const created = optional(json.created, `${what}.created`, asString)
  const author = optional(json.author, `${what}.author`, asString)
  return Object.freeze({
    platform: readPlatform(json, what),
    diffIds:
      optional(rootfs?.diff_ids, `${what}.rootfs.diff_ids`, (list, at) => asArray(list, at, readDigest)) ??
      [],
    history: optional(json.history, `${what}.history`, (list, at) => asArray(list, at, readHistory)) ?? [],
    ...(created !== undefined && { created }),
    ...(author !== undefined && { author }),
    json,
  })
}

const readHistory = (value: unknown, what: string): HistoryEntry => {
  const json = asObject(value, what)
  const text = (key: string) => optional(json[key], `${what}.${key}`, asString)
  const [created, createdBy, author, comment] = [
    text('created'),
    text('created_by'),
    text('author'),
    text('comment'),
  ]
  return Object.freeze({
    ...(created !== undefined && { created }),
    ...(createdBy !== undefined && { createdBy }),
    ...(author !== undefined && { author }),
    ...(comment !== undefined && { comment }),
    ...(json.empty_layer === true && { emptyLayer: true }),
  })
}
