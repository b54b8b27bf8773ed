import path from 'node:path'
import process from 'node:process'
import { OrlopError } from '../errors.ts'
import { fullReference, parseReference, repositoryName, withDefaultTag } from '../oci/reference.ts'

/** A repository of a registry: `docker://host/path:tag`. */
export interface DockerPlace {
  readonly transport: 'docker'
  /** In full, with tag or digest; the repository alone when `nameless`. */
  readonly reference: string
  /** True for `…@@unknown-digest@@`: pushed without a tag. */
  readonly nameless?: true
}

/** An image of an OCI layout: `oci:path`, `oci:path:name`, `oci:path:@0`. */
export interface OciPlace {
  readonly transport: 'oci'
  readonly path: string
  /** What the annotation `org.opencontainers.image.ref.name` says. */
  readonly image?: string
  /** The place in index.json, from 0; to read only. */
  readonly index?: number
}

/** An image of an OCI layout in a tar file: `oci-archive:file.tar`, `oci-archive:file.tar:name`, `oci-archive:file.tar:@0`. */
export interface OciArchivePlace extends Omit<OciPlace, 'transport'> {
  readonly transport: 'oci-archive'
}

/** An image of a file as `docker save` writes it: `docker-archive:file.tar`, `…:name:tag`, `…:@0`. */
export interface DockerArchivePlace {
  readonly transport: 'docker-archive'
  readonly path: string
  /** In full, with a tag. */
  readonly reference?: string
  /** The place in manifest.json, from 0; to read only. */
  readonly index?: number
}

/** A directory with the parts of one image as files: `dir:path`. */
export interface DirPlace {
  readonly transport: 'dir'
  readonly path: string
}

/** An image of this store: `store:name`. */
export interface StorePlace {
  readonly transport: 'store'
  /** As it was written. */
  readonly name: string
}

/** Where an image is or goes: parsed, and nothing opened. */
export type Place = DockerPlace | OciPlace | OciArchivePlace | DockerArchivePlace | DirPlace | StorePlace

/** The transports, by the names that stand before the colon. */
export const transportNames = ['docker', 'oci', 'oci-archive', 'docker-archive', 'dir', 'store'] as const

/**
 * A place out of `transport:reference`, read as containers/image reads it; `store:` is this store.
 *
 * @throws INVALID_ARGUMENT  no transport, one that is not known, or a reference that it does not take
 * @see containers/image transports/alltransports, and each transport's ParseReference
 */
export function parsePlace(text: string): Place {
  const colon = text.indexOf(':')
  const name = text.slice(0, Math.max(colon, 0))
  const rest = text.slice(colon + 1)
  switch (name) {
    case 'docker':
      return parseDocker(rest, text)
    case 'oci':
      return { transport: 'oci', ...parseOci(rest, text) }
    case 'oci-archive':
      return { transport: 'oci-archive', ...parseOci(rest, text) }
    case 'docker-archive':
      return parseDockerArchive(rest, text)
    case 'dir':
      return { transport: 'dir', path: checkPath(rest, text) }
    case 'store':
      if (rest === '') throw invalid(text, 'name an image, as in store:docker.io/library/busybox:latest')
      return { transport: 'store', name: rest }
    default:
      throw invalid(text, adviceFor(name, text))
  }
}

const known = transportNames.map(name => (name === 'docker' ? 'docker://' : `${name}:`)).join(', ')

const adviceFor = (name: string, text: string): string => {
  if (name === 'containers-storage')
    return `containers-storage: is the storage of podman, which is not read here; known are ${known}`
  const isReference = name === '' || /^[a-z0-9.-]+$/.test(name)
  const hint = isReference && !text.includes('//') ? `; for a registry write docker://${text}` : ''
  return `no transport that is known stands before it; known are ${known}${hint}`
}

const invalid = (text: string, why: string): OrlopError =>
  new OrlopError('INVALID_ARGUMENT', `place ${JSON.stringify(text.slice(0, 300))}: ${why}`)

const unknownDigest = '@@unknown-digest@@'

function parseDocker(rest: string, text: string): DockerPlace {
  if (!rest.startsWith('//')) throw invalid(text, 'write docker://, with two slashes')
  const name = rest.slice(2)
  if (name.endsWith(unknownDigest)) {
    const reference = parseReference(name.slice(0, -unknownDigest.length))
    if (reference.tag !== undefined || reference.digest !== undefined)
      throw invalid(text, `${unknownDigest} stands for tag and digest; leave those out`)
    return { transport: 'docker', reference: repositoryName(reference), nameless: true }
  }
  const { tag, digest } = withDefaultTag(parseReference(name))
  if (tag !== undefined && digest !== undefined)
    throw invalid(text, 'it has a tag and a digest; give one of them')
  return { transport: 'docker', reference: fullReference(name) }
}

interface PathAndImage {
  readonly path: string
  readonly image?: string
  readonly index?: number
}

const component = '[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*'
const imageShape = new RegExp(`^${component}(?:/${component})*$`)

function parseOci(rest: string, text: string): PathAndImage {
  const [place, image] = splitPath(rest)
  const directory = checkPath(place, text)
  const index = parseIndex(image, text)
  if (index !== undefined) return { path: directory, index }
  if (image === '') return { path: directory }
  if (!imageShape.test(image))
    throw invalid(text, `${JSON.stringify(image)} is no name of an image: parts of letters and digits`)
  return { path: directory, image }
}

/** Path and image are parted by the first colon; on Windows by the first after the drive's. */
function splitPath(rest: string): readonly [string, string] {
  const drive = process.platform === 'win32' && /^[a-zA-Z]:[\\/]/.test(rest) ? 2 : 0
  const colon = rest.indexOf(':', drive)
  return colon === -1 ? [rest, ''] : [rest.slice(0, colon), rest.slice(colon + 1)]
}

/** `@3` is the fourth. */
function parseIndex(image: string, text: string): number | undefined {
  if (!image.startsWith('@')) return undefined
  const index = Number(image.slice(1))
  if (!/^@\d+$/.test(image) || !Number.isSafeInteger(index))
    throw invalid(text, `${JSON.stringify(image)} is no place among the images; write @0 for the first`)
  return index
}

function parseDockerArchive(rest: string, text: string): DockerArchivePlace {
  const [place, image] = splitPath(rest)
  const file = { transport: 'docker-archive', path: checkPath(place, text) } as const
  const index = parseIndex(image, text)
  if (index !== undefined) return { ...file, index }
  if (image === '') return file
  if (parseReference(image).digest !== undefined)
    throw invalid(text, 'an archive of docker save has tags and no digests; name a tag')
  return { ...file, reference: fullReference(image) }
}

function checkPath(place: string, text: string): string {
  if (place === '') throw invalid(text, 'the path is empty')
  if (place.includes('\0')) throw invalid(text, 'there is a NUL in the path')
  return path.resolve(place)
}

/** A place as text; `parsePlace` undoes it. */
export function formatPlace(place: Place): string {
  switch (place.transport) {
    case 'docker':
      return `docker://${place.reference}${place.nameless ? unknownDigest : ''}`
    case 'dir':
      return `dir:${place.path}`
    case 'store':
      return `store:${place.name}`
    case 'docker-archive':
      return withImage(`docker-archive:${place.path}`, place.reference, place.index)
    default:
      return withImage(`${place.transport}:${place.path}`, place.image, place.index)
  }
}

const withImage = (text: string, image: string | undefined, index: number | undefined): string => {
  if (index !== undefined) return `${text}:@${index}`
  return image === undefined ? text : `${text}:${image}`
}
