import type {
  Info,
  InfoProvider,
  LabelsChange,
  Provider,
  ReadOptions,
  Target,
} from '../../src/content/types.ts'
import { OrlopError } from '../../src/errors.ts'
import {
  type Annotations,
  type Descriptor,
  descriptorOf,
  descriptorToJson,
} from '../../src/oci/descriptor.ts'
import type { Digest } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { type Platform, platformToJson } from '../../src/oci/platform.ts'

/** A blob with the blobs that it names: images are built by nesting them. */
export interface Node {
  readonly desc: Descriptor
  readonly bytes: Uint8Array
  readonly below: readonly Node[]
}

type Extra = Partial<Omit<Descriptor, 'mediaType' | 'digest' | 'size'>>

/** A blob of any media type. */
export const blob = (
  mediaType: string,
  content: string | Uint8Array = '',
  extra: Extra = {},
  below: readonly Node[] = [],
): Node => {
  const bytes = Buffer.from(content)
  return { desc: descriptorOf(mediaType, bytes, extra), bytes, below }
}

/** A layer whose bytes are a text: no tar, no gzip, and of known size. */
export const layer = (content: string | Uint8Array, mediaType: string = mediaTypes.ociLayerGzip): Node =>
  blob(mediaType, content)

/** `linux/arm64/v8` as a platform. */
export const platformOf = (text: string): Platform => {
  const [os = '', architecture = '', variant] = text.split('/')
  return { os, architecture, ...(variant && { variant }) }
}

/** What a config holds. */
export interface ConfigInit {
  readonly platform?: string
  readonly diffIds?: readonly string[]
  readonly mediaType?: string
  /** Makes otherwise equal configs differ. */
  readonly author?: string
}

/** An image config. */
export const config = (init: ConfigInit = {}): Node => {
  const { platform = 'linux/amd64', diffIds = [], mediaType = mediaTypes.ociConfig, author } = init
  const rootfs = { type: 'layers', diff_ids: diffIds }
  return json(mediaType, { ...platformToJson(platformOf(platform)), ...(author && { author }), rootfs })
}

/** The empty config of artifacts, `{}`. */
export const emptyConfig = (mediaType: string = mediaTypes.ociEmpty): Node => blob(mediaType, '{}')

/** What a document has besides its children. */
export interface DocumentInit {
  readonly mediaType?: string
  /** False: the document itself names no media type. */
  readonly named?: boolean
  readonly artifactType?: string
  readonly subject?: Descriptor
  readonly annotations?: Annotations
}

/** A manifest with fields of its own. */
export const manifestWith = (init: DocumentInit, config: Node, ...layers: readonly Node[]): Node => {
  const { mediaType = mediaTypes.ociManifest } = init
  const body = { config: entry(config), layers: layers.map(entry) }
  return json(mediaType, { ...head(init, mediaType), ...body }, {}, [config, ...layers])
}

/** A manifest. */
export const manifest = (config: Node, ...layers: readonly Node[]): Node =>
  manifestWith({}, config, ...layers)

/** A Docker manifest, schema 2. */
export const dockerManifest = (config: Node, ...layers: readonly Node[]): Node =>
  manifestWith({ mediaType: mediaTypes.dockerManifest }, config, ...layers)

/** An index with fields of its own. */
export const indexWith = (init: DocumentInit, ...nodes: readonly Node[]): Node => {
  const { mediaType = mediaTypes.ociIndex } = init
  return json(mediaType, { ...head(init, mediaType), manifests: nodes.map(entry) }, {}, nodes)
}

/** An index. */
export const index = (...nodes: readonly Node[]): Node => indexWith({}, ...nodes)

/** A Docker manifest list. */
export const dockerList = (...nodes: readonly Node[]): Node =>
  indexWith({ mediaType: mediaTypes.dockerManifestList }, ...nodes)

/** The node as an index entry for a platform: `on('linux/arm64', manifest(…))`. */
export const on = (platform: string, node: Node): Node => withExtra(node, { platform: platformOf(platform) })

/** The node with more in its descriptor. */
export const withExtra = (node: Node, extra: Extra): Node => ({ ...node, desc: { ...node.desc, ...extra } })

/** A manifest for one platform with two layers, and the entry marked. */
export const image = (platform: string, ...layers: readonly string[]): Node =>
  on(
    platform,
    manifest(
      config({ platform }),
      ...(layers.length > 0 ? layers : [platform, 'base']).map(text => layer(text)),
    ),
  )

/** The entry that build tools add for the attestations of a manifest. */
export const attestation = (subject: Node): Node =>
  withExtra(
    on(
      'unknown/unknown',
      manifest(
        config({ platform: 'unknown/unknown' }),
        blob(mediaTypes.inToto, `about ${subject.desc.digest}`),
      ),
    ),
    {
      annotations: {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': subject.desc.digest,
      },
    },
  )

/** Sum of the sizes of nodes and all below, counted as often as they are named. */
export const sizeOf = (...nodes: readonly Node[]): number =>
  nodes.reduce((sum, node) => sum + node.desc.size + sizeOf(...node.below), 0)

/** The nodes and all below, in the order of a walk. */
export const flat = (...nodes: readonly Node[]): readonly Node[] =>
  nodes.flatMap(node => [node, ...flat(...node.below)])

const head = ({ named = true, artifactType, subject, annotations }: DocumentInit, mediaType: string) => ({
  schemaVersion: 2,
  ...(named && { mediaType }),
  ...(artifactType && { artifactType }),
  ...(subject && { subject: descriptorToJson(subject) }),
  ...(annotations && { annotations }),
})

const entry = ({ desc }: Node) => descriptorToJson(desc)

const json = (mediaType: string, value: object, extra: Extra = {}, below: readonly Node[] = []): Node =>
  blob(mediaType, JSON.stringify(value), extra, below)

/** Blobs in memory that tests may lose and damage; it never verifies. */
export class Blobs implements Provider, InfoProvider {
  readonly #blobs = new Map<Digest, { bytes: Uint8Array; labels: Readonly<Record<string, string>> }>()
  /** The digests that were read, in order. */
  readonly reads: Digest[] = []
  /** Runs before each chunk is given out. */
  onRead: (digest: Digest) => void = () => {}

  constructor(...nodes: readonly Node[]) {
    const done = new Set<Node>()
    const stack = [...nodes]
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (done.has(node)) continue
      done.add(node)
      this.put(node)
      stack.push(...node.below)
    }
  }

  /** Adds one blob, without those below. */
  put({ desc, bytes }: Pick<Node, 'desc' | 'bytes'>): this {
    this.#blobs.set(desc.digest, { bytes, labels: {} })
    return this
  }

  /** Forgets blobs, without those below. */
  lose(...nodes: readonly Node[]): this {
    for (const { desc } of nodes) this.#blobs.delete(desc.digest)
    return this
  }

  /** Gives a blob other bytes; by default one bit is flipped. */
  damage({ desc }: Node, bytes?: Uint8Array): this {
    const flipped = Buffer.from(this.#get(desc.digest).bytes)
    flipped[0] = (flipped[0] ?? 0) ^ 1
    this.#blobs.set(desc.digest, { bytes: bytes ?? flipped, labels: {} })
    return this
  }

  async *read(
    { digest }: Target,
    { offset = 0, length, signal }: ReadOptions = {},
  ): AsyncGenerator<Uint8Array> {
    signal?.throwIfAborted()
    const { bytes } = this.#get(digest)
    this.reads.push(digest)
    this.onRead(digest)
    // A store answers some turns later.
    await null
    signal?.throwIfAborted()
    yield bytes.subarray(offset, length === undefined ? undefined : offset + length)
  }

  async info(digest: Digest, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<Info> {
    signal?.throwIfAborted()
    const { bytes, labels } = this.#get(digest)
    return { digest, size: bytes.byteLength, labels, createdAt: new Date(0), updatedAt: new Date(0) }
  }

  async update(digest: Digest, { labels, replace = false }: LabelsChange): Promise<Info> {
    const blob = this.#get(digest)
    const merged = Object.entries({ ...(replace ? {} : blob.labels), ...labels })
    blob.labels = Object.fromEntries(merged.filter((entry): entry is [string, string] => Boolean(entry[1])))
    return this.info(digest)
  }

  #get(digest: Digest) {
    const blob = this.#blobs.get(digest)
    if (blob === undefined) throw new OrlopError('NOT_FOUND', `content ${digest}: not found`)
    return blob
  }
}

/** All that an async iterable gives. */
export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of source) found.push(item)
  return found
}
