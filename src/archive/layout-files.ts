import { OrlopError } from '../errors.ts'
import { algorithmOf, type Digest, encodedOf, isDigest } from '../oci/digest.ts'
import { type Index, maxManifestSize, parseIndex } from '../oci/document.ts'
import { asObject, asString, parseJson } from '../oci/json.ts'

/** The files that say what an archive holds, by their paths in it. */
export const layoutFiles = {
  layout: 'oci-layout',
  index: 'index.json',
  dockerManifest: 'manifest.json',
} as const

/** Of the index of an archive that is partial: what the rest of its blobs are in. */
export const partialAnnotation = 'io.orlop.archive.since'

/** Bytes of each that are read into memory; a larger one is refused before it is read. */
export const maxLayoutFile: Readonly<Record<string, number>> = {
  [layoutFiles.layout]: 64 * 1024,
  [layoutFiles.index]: maxManifestSize,
  [layoutFiles.dockerManifest]: 8 * 1024 * 1024,
}

/** The one version of the layout that there is. @see image-spec v1.1, image-layout.md */
const layoutVersion = '1.0.0'

/** The bytes of `oci-layout`. */
export const layoutBytes: Uint8Array = Buffer.from(JSON.stringify({ imageLayoutVersion: layoutVersion }))

/**
 * Checks the bytes of `oci-layout`.
 *
 * @throws INVALID_ARGUMENT  another version, or none
 */
export function checkLayout(bytes: Uint8Array, what: string): void {
  const name = `${what}: ${layoutFiles.layout}`
  const json = asObject(parseJson(bytes, name), name)
  const version = asString(json.imageLayoutVersion, `${name}.imageLayoutVersion`)
  if (version !== layoutVersion) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${name}: version ${JSON.stringify(version.slice(0, 80))} is not known; ${layoutVersion} is`,
    )
  }
}

/** The index in `index.json`. @throws INVALID_ARGUMENT  it is none */
export const readLayoutIndex = (bytes: Uint8Array, what: string): Index =>
  parseIndex(bytes, `${what}: ${layoutFiles.index}`)

/** The path of a blob: `blobs/sha256/…`. */
export const blobPath = (digest: Digest): string => `blobs/${algorithmOf(digest)}/${encodedOf(digest)}`

/** The digest that a path stands for; `undefined` for one that is no blob's. */
export function digestOfPath(path: string): Digest | undefined {
  const [top, algorithm, encoded, ...rest] = path.split('/')
  const text = `${algorithm}:${encoded}`
  return top === 'blobs' && rest.length === 0 && isDigest(text) ? text : undefined
}
