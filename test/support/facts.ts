import type { RawDescriptor, RawDocument, RawPlatform } from './layout.ts'
import { digestOf } from './layout.ts'
import { output } from './run.ts'

/** What skopeo says of an image in a registry. */
export interface ImageFacts {
  /** What the tag points at. */
  readonly target: RawDescriptor
  /** The manifests with all that is above each, in the order of the indexes; one when the image is no index. */
  readonly manifests: readonly ManifestFacts[]
}

/** What skopeo says of one manifest of an image. */
export interface ManifestFacts {
  readonly descriptor: RawDescriptor
  /** The indexes above it, outermost first. */
  readonly indexes: readonly RawDescriptor[]
  /** From the index entry; else from the config. Absent when neither has one. */
  readonly platform?: RawPlatform
  readonly config: RawDescriptor
  readonly layers: readonly RawDescriptor[]
  /** What the config says; empty for an artifact. */
  readonly diffIds: readonly string[]
}

/** Asks skopeo (`inspect --raw`, and `--config` of every manifest) for all there is to know of an image. */
export async function factsOf(reference: string): Promise<ImageFacts> {
  const raw = await inspect(reference, '--raw')
  const { mediaType, ...document } = JSON.parse(raw)
  const target = describe(raw, mediaType ?? guessMediaType(document))
  const repository = reference.slice(0, reference.lastIndexOf(':'))
  return { target, manifests: await manifestsBelow(repository, target, []) }
}

/** Every blob of an image once: target, indexes, manifests, configs and layers. */
export function blobsOf({ target, manifests }: ImageFacts): readonly RawDescriptor[] {
  const all = manifests.flatMap(({ descriptor, indexes, config, layers }) => [
    ...indexes,
    descriptor,
    config,
    ...layers,
  ])
  return [...new Map([target, ...all].map(desc => [desc.digest, desc])).values()]
}

/** A platform as people write it: `os(version)/architecture/variant`; `-` for none. */
export function platformText(platform: RawPlatform | undefined): string {
  if (platform === undefined) return '-'
  const { os, architecture, variant, 'os.version': version } = platform
  return [version === undefined ? os : `${os}(${version})`, architecture, variant].filter(Boolean).join('/')
}

const manifestsBelow = async (
  repository: string,
  descriptor: RawDescriptor,
  indexes: readonly RawDescriptor[],
): Promise<readonly ManifestFacts[]> => {
  const reference = `${repository}@${descriptor.digest}`
  const { manifests, config, layers = [] }: RawDocument = JSON.parse(await inspect(reference, '--raw'))
  if (config === undefined) {
    const below: ManifestFacts[] = []
    for (const child of manifests ?? [])
      below.push(...(await manifestsBelow(repository, child, [...indexes, descriptor])))
    return below
  }
  const image = JSON.parse(await inspect(reference, '--config', '--raw'))
  const platform = descriptor.platform ?? platformOf(image)
  const diffIds = image.rootfs?.diff_ids ?? []
  return [{ descriptor, indexes, ...(platform && { platform }), config, layers, diffIds }]
}

const platformOf = (image: Partial<RawPlatform>): RawPlatform | undefined => {
  const { os, architecture, variant, 'os.version': version } = image
  if (os === undefined || architecture === undefined) return undefined
  return { os, architecture, ...(variant && { variant }), ...(version && { 'os.version': version }) }
}

const describe = (raw: string, mediaType: string): RawDescriptor => {
  const bytes = Buffer.from(raw)
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength }
}

// umoci writes no media type into manifests; the registry then serves them as what they were pushed as.
const guessMediaType = ({ manifests }: RawDocument): string =>
  `application/vnd.oci.image.${manifests === undefined ? 'manifest' : 'index'}.v1+json`

const inspect = (reference: string, ...flags: readonly string[]): Promise<string> =>
  output('skopeo', ['inspect', '--insecure-policy', '--tls-verify=false', ...flags, `docker://${reference}`])
