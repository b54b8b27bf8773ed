import type { InfoProvider, Provider } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { readManifest } from '../handlers/children.ts'
import { formatPath } from '../handlers/path.ts'
import { platforms as listPlatforms } from '../images/platforms.ts'
import type { Located } from '../images/probe.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { isConfig, isIndex, isManifest, isNonDistributable } from '../oci/media-type.ts'
import { formatPlatformAll } from '../oci/platform.ts'
import type { AbortOptions } from '../options.ts'
import { type PlatformWish, type SelectedParts, selectParts } from './select-parts.ts'

/** An image that goes into an archive. */
export interface ExportImage {
  /** What it is called there; absent: it has no name. */
  readonly name?: string | undefined
  readonly target: Descriptor
}

/** A platform by its name for people, `linux/arm64`. */
export interface NamedPlatform extends PlatformWish {
  readonly text: string
}

/** Which parts of images go into an archive. */
export interface ExportChoice extends AbortOptions {
  /** For each of them the best manifest of each image, the first one for Docker too; absent: all there are. */
  readonly platforms?: readonly NamedPlatform[] | undefined
  /** When all platforms go: which one Docker is told of; absent: none of an index. */
  readonly dockerPlatform?: PlatformWish | undefined
  /** True: without layers that a licence keeps from being passed on; they stay named. */
  readonly skipNonDistributable?: boolean | undefined
  /** `error` (default), or `skip`: of a manifest that is not whole only itself goes. */
  readonly onMissing?: 'error' | 'skip' | undefined
  /** What who gets the archive has; indexes, manifests and configs go all the same, so that what is missing has a name. */
  readonly since?: Since | undefined
}

/** What is somewhere else already. */
export interface Since {
  /** Names it, for people. */
  readonly what: string
  has(desc: Descriptor): boolean
}

/** What of one image goes into an archive. */
export interface PlannedImage {
  readonly image: ExportImage
  readonly blobs: readonly Descriptor[]
  /** What stays out, for who gets the archive has it. */
  readonly omitted: readonly Descriptor[]
  /** What is not here, of manifests that are not whole; with `skip` only. */
  readonly missing: readonly Located[]
  /** What Docker is told of: config and layers of one platform. */
  readonly docker?: { readonly config: Descriptor; readonly layers: readonly Descriptor[] }
}

type Store = Provider & InfoProvider

/**
 * Chooses what of an image goes into an archive; nothing but documents is read.
 *
 * @returns `undefined` for an image of which nothing is here; with `skip` only
 * @throws INVALID_ARGUMENT  the target is neither an index nor a manifest
 * @throws NOT_FOUND  a platform that the image does not have, or a blob that is not here; the text says where it stands
 */
export async function planImage(
  store: Store,
  image: ExportImage,
  choice: ExportChoice,
): Promise<PlannedImage | undefined> {
  const { target } = image
  if (!isIndex(target) && !isManifest(target)) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${nameOf(image)}: its target is ${target.mediaType}; only indexes and manifests can be exported`,
    )
  }
  const parts = await wantedParts(store, image, choice)
  const missing = parts.missing.filter(
    ({ descriptor }) => !isLeftOut(descriptor, choice) && !isOmitted(descriptor, choice),
  )
  if (missing.length > 0 && choice.onMissing !== 'skip') throw notWhole(image, missing)
  const absent = new Set(missing.map(({ descriptor }) => descriptor.digest))
  if (absent.has(target.digest)) return undefined
  const whole = await wholeParts(store, parts, absent, choice)
  const docker = await forDocker(store, target, whole, choice)
  const all = whole.blobs.filter(desc => !isLeftOut(desc, choice))
  return {
    image,
    blobs: all.filter(desc => !isOmitted(desc, choice)),
    omitted: all.filter(desc => isOmitted(desc, choice)),
    missing,
    ...(docker && { docker }),
  }
}

const nameOf = ({ name, target }: ExportImage): string => `image ${name ?? target.digest}`

const isLeftOut = (desc: Descriptor, { skipNonDistributable = false }: ExportChoice): boolean =>
  skipNonDistributable && isNonDistributable(desc)

const isOmitted = (desc: Descriptor, { since }: ExportChoice): boolean =>
  !isIndex(desc) && !isManifest(desc) && !isConfig(desc) && (since?.has(desc) ?? false)

async function wantedParts(
  store: Store,
  image: ExportImage,
  { platforms, signal }: ExportChoice,
): Promise<SelectedParts<NamedPlatform>> {
  const parts = await selectParts(store, image.target, platforms, { signal })
  const met = new Set(parts?.platforms)
  const absent = (platforms ?? []).filter(platform => !met.has(platform))
  if (parts !== undefined && absent.length === 0) return parts
  const offered: string[] = []
  for await (const platform of listPlatforms(store, image.target, { onMissing: 'skip', signal }))
    offered.push(formatPlatformAll(platform))
  const texts = absent.map(({ text }) => text).join(', ')
  const has = offered.length > 0 ? `; it has ${offered.join(', ')}: give --platform or --all-platforms` : ''
  throw new OrlopError('NOT_FOUND', `${nameOf(image)}: has no manifest for ${texts}${has}`)
}

interface WholeParts {
  /** Without the children of manifests that are not whole. */
  readonly blobs: readonly Descriptor[]
  /** Those that are whole. */
  readonly manifests: readonly Descriptor[]
}

async function wholeParts(
  store: Store,
  { manifests, documents, blobs }: SelectedParts,
  absent: ReadonlySet<Digest>,
  { signal }: ExportChoice,
): Promise<WholeParts> {
  if (absent.size === 0) return { blobs, manifests }
  const wanted = new Set(documents.map(({ digest }) => digest))
  const whole: Descriptor[] = []
  for (const desc of manifests) {
    if (!isManifest(desc) || absent.has(desc.digest)) continue
    const { config, layers } = await readManifest(store, desc, { signal })
    const children = [config, ...layers].map(({ digest }) => digest)
    if (children.some(digest => absent.has(digest))) continue
    whole.push(desc)
    for (const digest of children) wanted.add(digest)
  }
  const kept = blobs.filter(({ digest }) => wanted.has(digest) && !absent.has(digest))
  return { blobs: kept, manifests: whole }
}

async function forDocker(
  store: Store,
  target: Descriptor,
  { manifests }: WholeParts,
  { platforms, dockerPlatform, signal }: ExportChoice,
): Promise<PlannedImage['docker']> {
  const desc = platforms || isManifest(target) ? manifests[0] : await chosen()
  if (desc === undefined || !isManifest(desc)) return undefined
  const { config, layers } = await readManifest(store, desc, { signal })
  return isConfig(config) ? { config, layers } : undefined

  async function chosen(): Promise<Descriptor | undefined> {
    if (dockerPlatform === undefined) return undefined
    const parts = await selectParts(store, target, [dockerPlatform], { signal })
    return manifests.find(({ digest }) => digest === parts?.manifests[0]?.digest)
  }
}

/** As many of what is missing as a message can hold. */
const mostShown = 5

function notWhole(image: ExportImage, missing: readonly Located[]): OrlopError {
  const shown = missing.slice(0, mostShown).map(({ path }) => formatPath(path))
  const more = missing.length - shown.length
  const list = [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
  return new OrlopError(
    'NOT_FOUND',
    `${nameOf(image)}: not all here: ${list}; pull it for the platform, or give --missing fetch or --missing skip`,
  )
}
