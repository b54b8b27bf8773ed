import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { output } from './run.ts'

/** A descriptor as it stands in JSON. Built without orlop's own code, so that tests compare with something else. */
export interface RawDescriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly platform?: RawPlatform
  readonly annotations?: Readonly<Record<string, string>>
  readonly urls?: readonly string[]
  readonly data?: string
  readonly artifactType?: string
}

/** A platform as it stands in JSON. */
export interface RawPlatform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  readonly 'os.version'?: string
}

/** The fields of manifests and indexes that tests look at. */
export interface RawDocument {
  readonly mediaType?: string
  readonly manifests?: readonly RawDescriptor[]
  readonly config?: RawDescriptor
  readonly layers?: readonly RawDescriptor[]
}

/** A manifest that `buildImage` made. */
export interface BuiltImage {
  readonly config: RawDescriptor
  readonly layers: readonly RawDescriptor[]
}

/** Makes an empty OCI layout. */
export const createLayout = (directory: string): Promise<string> =>
  output('umoci', ['init', '--layout', directory])

/** The sha256 digest of bytes. */
export const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** The file of a blob. */
export const blobFile = (directory: string, digest: string): string =>
  path.join(directory, 'blobs', ...digest.split(':'))

/** Puts a blob into a layout. */
export async function putBlob(
  directory: string,
  mediaType: string,
  bytes: Uint8Array,
): Promise<RawDescriptor> {
  const digest = digestOf(bytes)
  await fs.writeFile(blobFile(directory, digest), bytes)
  return { mediaType, digest, size: bytes.byteLength }
}

/** Puts a document into a layout: as bytes what `JSON.stringify` gives. */
export const putJson = (directory: string, mediaType: string, value: unknown): Promise<RawDescriptor> =>
  putBlob(directory, mediaType, Buffer.from(JSON.stringify(value)))

/** A document of a layout, parsed. */
export const getJson = async <T = RawDocument>(directory: string, { digest }: RawDescriptor): Promise<T> =>
  JSON.parse(await fs.readFile(blobFile(directory, digest), 'utf8'))

/** What umoci is to build: an image of one platform, a layer for each pair of a real file or directory and its place. */
export interface ImagePlan {
  readonly tag: string
  readonly platform: RawPlatform
  readonly files: readonly (readonly [source: string, target: string])[]
}

/**
 * Builds an image with umoci.
 *
 * The parts of a platform that umoci cannot write (variant, OS version) are put into the config by hand.
 */
export async function buildImage(
  directory: string,
  { tag, platform, files }: ImagePlan,
): Promise<RawDescriptor> {
  const image = `${directory}:${tag}`
  await output('umoci', ['new', '--image', image])
  for (const [source, target] of files) {
    await output('umoci', ['insert', '--image', image, source, target])
  }
  const { os, architecture, ...rest } = platform
  await output('umoci', ['config', '--image', image, '--os', os, '--architecture', architecture])
  const built = await tagged(directory, tag)
  if (Object.keys(rest).length === 0) return { ...built, platform }
  const manifest = await getJson<BuiltImage>(directory, built)
  const { mediaType } = manifest.config
  const config = await putJson(directory, mediaType, {
    ...(await getJson(directory, manifest.config)),
    ...rest,
  })
  return { ...(await putJson(directory, built.mediaType, { ...manifest, config })), platform }
}

/** The descriptor that a tag of a layout has, without its annotations. */
export async function tagged(directory: string, tag: string): Promise<RawDescriptor> {
  const index: RawDocument = JSON.parse(await fs.readFile(path.join(directory, 'index.json'), 'utf8'))
  const found = index.manifests?.find(({ annotations }) => annotations?.[refName] === tag)
  if (found === undefined) throw new Error(`${directory}: no tag ${tag}`)
  return { mediaType: found.mediaType, digest: found.digest, size: found.size }
}

/** Gives a descriptor a tag in a layout, beside those that are there. */
export async function tagLayout(directory: string, tag: string, desc: RawDescriptor): Promise<void> {
  const file = path.join(directory, 'index.json')
  const index: RawDocument = JSON.parse(await fs.readFile(file, 'utf8'))
  const manifests = [...(index.manifests ?? []), { ...desc, annotations: { [refName]: tag } }]
  await fs.writeFile(file, JSON.stringify({ ...index, manifests }))
}

const refName = 'org.opencontainers.image.ref.name'
