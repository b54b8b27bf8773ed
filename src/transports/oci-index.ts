import { OrlopError } from '../errors.ts'
import { annotationKeys } from '../oci/annotations.ts'
import { type Descriptor, descriptorToJson, readDescriptor } from '../oci/descriptor.ts'
import { asArray, asObject, isObject, type JsonObject, lookalikes, parseJson } from '../oci/json.ts'
import { isIndex, isManifest, isManifestOrIndex, mediaTypes } from '../oci/media-type.ts'
import type { OciPlace } from './place.ts'

/** An index.json larger than this is refused before it is read: 20 MiB, room for some 60 000 images. */
export const maxIndexSize = 20 * 1024 * 1024

/** The index.json of a layout. Entries stay as they were written, for other programs have their own fields in them. */
export interface LayoutIndex {
  readonly json: JsonObject
  readonly entries: readonly JsonObject[]
}

/** The index.json of a layout that has no images yet. */
export const emptyLayoutIndex: LayoutIndex = Object.freeze({
  json: { schemaVersion: 2, mediaType: mediaTypes.ociIndex },
  entries: [],
})

const refuseLookalikes = lookalikes(['schemaVersion', 'mediaType', 'manifests', 'annotations'])
const refuseInEntry = lookalikes(['mediaType', 'digest', 'size', 'annotations'])

/** The one version of the layout that there is. @see image-spec v1.1, image-layout.md */
const layoutVersion = '1.0.0'

/** Checks the bytes of the file `oci-layout`. @throws FAILED_PRECONDITION  another version, or none */
export function checkLayoutVersion(bytes: Uint8Array, what: string): void {
  const json = parseJson(bytes, what)
  const version = isObject(json) ? json.imageLayoutVersion : undefined
  if (version === layoutVersion) return
  throw new OrlopError(
    'FAILED_PRECONDITION',
    `${what}: version ${JSON.stringify(version)} is not known; ${layoutVersion} is`,
  )
}

/**
 * An index.json out of its bytes.
 *
 * @throws INVALID_ARGUMENT  not JSON, no list of manifests, or one that can be read in two ways
 */
export function parseLayoutIndex(bytes: Uint8Array, what: string): LayoutIndex {
  const json = asObject(parseJson(bytes, what), what)
  refuseLookalikes(json, what)
  const { manifests = [] } = json
  const entries = asArray(manifests ?? [], `${what}.manifests`, (value, at) => {
    const entry = asObject(value, at)
    refuseInEntry(entry, at)
    return entry
  })
  return { json, entries }
}

/** The bytes of an index.json, as text. */
export const formatLayoutIndex = ({ json, entries }: LayoutIndex): string =>
  JSON.stringify({ ...json, manifests: entries })

/** The name of an entry; `undefined` when it has none. */
export const nameOfEntry = ({ annotations }: JsonObject): string | undefined => {
  if (!isObject(annotations) || !Object.hasOwn(annotations, annotationKeys.refName)) return undefined
  const name = annotations[annotationKeys.refName]
  return typeof name === 'string' ? name : undefined
}

/**
 * The entry that a place names, as a descriptor without platform and annotations.
 *
 * Without name and number it is the only one there is. Docker's own types are taken too, where containers/image of 2022
 * passes over them.
 *
 * @throws NOT_FOUND  no such entry; the text says what there is
 * @throws INVALID_ARGUMENT  several, and none is named; or an entry that is no image
 * @see containers/image oci/layout, getManifestDescriptor
 */
export function chooseEntry(
  { entries }: LayoutIndex,
  { path, image, index }: Pick<OciPlace, 'path' | 'image' | 'index'>,
): Descriptor {
  const at = image === undefined ? (index ?? onlyOne(entries, path)) : findName(entries, image)
  const entry = entries[at]
  if (entry === undefined) {
    const asked = image === undefined ? `number ${index ?? 0}` : `named ${JSON.stringify(image)}`
    throw new OrlopError('NOT_FOUND', `layout ${path}: no image ${asked}; it has ${listOf(entries)}`)
  }
  const { mediaType, digest, size } = readDescriptor(entry, `layout ${path}: manifests[${at}]`)
  if (!isManifest({ mediaType }) && !isIndex({ mediaType }))
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `layout ${path}: entry ${at} is neither a manifest nor an index but ${JSON.stringify(mediaType)}`,
    )
  return Object.freeze({ mediaType, digest, size })
}

const findName = (entries: readonly JsonObject[], image: string): number => {
  const found = entries.findIndex(entry => nameOfEntry(entry) === image && isImage(entry))
  return found === -1 ? entries.length : found
}

const isImage = ({ mediaType }: JsonObject): boolean =>
  typeof mediaType === 'string' && isManifestOrIndex({ mediaType })

function onlyOne(entries: readonly JsonObject[], path: string): number {
  if (entries.length > 1)
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `layout ${path}: has ${entries.length} images; name one, as in oci:${path}:name or oci:${path}:@0 (${listOf(entries)})`,
    )
  return 0
}

const listOf = (entries: readonly JsonObject[]): string => {
  if (entries.length === 0) return 'none'
  const names = entries.slice(0, 20).map((entry, at) => JSON.stringify(nameOfEntry(entry) ?? `@${at}`))
  return names.join(', ') + (entries.length > 20 ? ` and ${entries.length - 20} more` : '')
}

/**
 * The index.json with an image more.
 *
 * As containers/image does it: an entry that had the name loses it and stays, so that what it names is not lost to whoever
 * cleans the layout; an entry of the same digest without name takes it.
 *
 * @see containers/image oci/layout, addManifest
 */
export function withEntry(
  { json, entries }: LayoutIndex,
  { mediaType, digest, size }: Descriptor,
  image: string | undefined,
): LayoutIndex {
  const annotations = image === undefined ? {} : { annotations: { [annotationKeys.refName]: image } }
  const added = descriptorToJson({ mediaType, digest, size, ...annotations })
  const others = image === undefined ? entries : entries.map(entry => withoutName(entry, image))
  const same = others.findIndex(entry => entry.digest === digest && nameOfEntry(entry) === undefined)
  return { json, entries: same === -1 ? [...others, added] : others.with(same, added) }
}

/** The index.json with a referrer more, which has no name; one that is listed already stays as it is. */
export function withReferrer(index: LayoutIndex, referrer: Descriptor): LayoutIndex {
  const { json, entries } = index
  if (entries.some(({ digest }) => digest === referrer.digest)) return index
  const { mediaType, digest, size, artifactType, annotations = {} } = referrer
  const { [annotationKeys.manifestSubject]: _, ...kept } = annotations
  const entry = descriptorToJson({
    mediaType,
    digest,
    size,
    ...(Object.keys(kept).length > 0 && { annotations: kept }),
    ...(artifactType !== undefined && { artifactType }),
  })
  return { json, entries: [...entries, entry] }
}

function withoutName(entry: JsonObject, image: string): JsonObject {
  if (nameOfEntry(entry) !== image || !isObject(entry.annotations)) return entry
  const { [annotationKeys.refName]: _, ...annotations } = entry.annotations
  const { annotations: __, ...rest } = entry
  return Object.keys(annotations).length === 0 ? rest : { ...rest, annotations }
}
