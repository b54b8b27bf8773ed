import { readBlob } from '../content/blob.ts'
import { copyBlob } from '../content/copy.ts'
import { refKey } from '../content/ref-key.ts'
import type { Ingester, Labels, Provider } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { children, readConfig } from '../handlers/children.ts'
import { dispatch } from '../handlers/dispatch.ts'
import { childLabels } from '../handlers/gc-labels.ts'
import type { Handler, Wrap } from '../handlers/types.ts'
import { type Change, checkChange } from '../images/convert/change.ts'
import { conversionRef, convertLayer, type LayerConversion } from '../images/convert/layer.ts'
import {
  configType,
  convertedLayerType,
  documentType,
  type LayerType,
  readLayerType,
} from '../images/convert/layer-type.ts'
import { attestationSubject, type ChildChange, rewriteDocument } from '../images/convert/rewrite.ts'
import { type Compression, sniffCompression, sniffLength } from '../images/decompress.ts'
import { type Descriptor, descriptorOf } from '../oci/descriptor.ts'
import { maxManifestSize } from '../oci/document.ts'
import { asObject, parseJson } from '../oci/json.ts'
import {
  isConfig,
  isIndex,
  isManifest,
  isManifestOrIndex,
  isNonDistributable,
  mediaTypes,
} from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { type CopyGraphOptions, ProgressBoard } from '../remotes/copy.ts'
import { keyOf, type Node, nodeOf, remembered } from './convert-node.ts'
import type { Leaves } from './foreign-layers.ts'

/** Options of `convertGraph`. */
export interface ConvertGraphOptions extends CopyGraphOptions {
  readonly change: Change
  /** Leaves out entries of indexes; they are taken out of the index too. */
  readonly select?: Wrap | undefined
  /** Layers that stay where their descriptors say; only asked of those that a licence keeps there. */
  readonly leaves?: Leaves | undefined
  /** Told of layers whose diff ids are known now; see `LayerConversion`. */
  readonly onVerified?: LayerConversion['onVerified']
  /** True: fail instead of changing any digest. */
  readonly preserve?: boolean | undefined
  /** Told what a conversion cannot keep, in words. */
  readonly onLost?: ((what: string) => void) | undefined
  /** Told of each manifest or index that got another digest. */
  readonly onRewritten?: ((before: Descriptor) => void) | undefined
}

/**
 * Copies all below `root` to another place and changes it on the way: leaves first, each blob once.
 *
 * What need not change keeps its bytes; so does an artifact, whose layers are no file systems, and a layer that a licence
 * keeps where it is. A document is written anew when a child has another digest or type, an entry is left out, or its own
 * type changes. `subject` stays, for what refers to the old image says nothing of the new one.
 *
 * @returns the root as it is there
 * @throws FAILED_PRECONDITION  what cannot be said in the format that is asked for; with `preserve`, any change
 * @throws DATA_LOSS  a layer that is not what the config says, see `convertLayer`
 */
export async function convertGraph(
  from: Provider,
  to: Ingester,
  root: Descriptor,
  options: ConvertGraphOptions,
): Promise<Descriptor> {
  checkChange(options.change)
  const conversion = new Conversion(from, to, options)
  const { concurrency, signal } = options
  const node = nodeOf(root)
  conversion.board.announce(root)
  await dispatch(conversion.children, conversion.visit, [node], {
    concurrency,
    order: 'post',
    key: keyOf,
    signal,
  })
  return conversion.resultOf(node)
}

class Conversion {
  readonly board: ProgressBoard
  readonly #from: Provider
  readonly #to: Ingester
  readonly #options: ConvertGraphOptions
  readonly #all: Handler
  readonly #selected: Handler
  readonly #below = new Map<string, readonly Node[]>()
  readonly #results = new Map<string, Descriptor>()

  constructor(from: Provider, to: Ingester, options: ConvertGraphOptions) {
    this.#from = from
    this.#to = to
    this.#options = options
    this.#all = remembered(children(from))
    this.#selected = options.select === undefined ? this.#all : options.select(this.#all)
    this.board = new ProgressBoard(options.onProgress, options.moving)
  }

  readonly children = async (node: Node, options: AbortOptions): Promise<readonly Node[]> => {
    const { desc } = node
    const below = await this.#selected(desc, options)
    for (const child of below) if (!(await this.#leaves(child, options))) this.board.announce(child)
    const nodes = isManifest(desc)
      ? await this.#ofManifest(below, options)
      : below.map(child => nodeOf(child))
    this.#below.set(keyOf(node), nodes)
    return nodes
  }

  readonly visit = async (node: Node, options: AbortOptions): Promise<void> => {
    this.#results.set(keyOf(node), await this.#made(node, options))
  }

  resultOf(node: Node): Descriptor {
    const found = this.#results.get(keyOf(node))
    if (found === undefined)
      throw new OrlopError('INTERNAL', `content ${node.desc.digest}: was not converted`)
    return found
  }

  /** The config is read only when a layer is going to be decompressed. */
  async #ofManifest(below: readonly Descriptor[], options: AbortOptions): Promise<readonly Node[]> {
    const [config, ...layers] = below
    if (config === undefined) return []
    const isImage = isConfig(config) || config.mediaType === mediaTypes.octetStream
    if (!isImage) return below.map(desc => nodeOf(desc, { verbatim: true }))
    const changes = layers.some(({ mediaType }) => this.#mayChange(readLayerType(mediaType)))
    if (!changes) return below.map(desc => nodeOf(desc))
    const { diffIds } = await readConfig(this.#from, config, options)
    if (diffIds.length !== layers.length)
      throw new OrlopError(
        'DATA_LOSS',
        `config ${config.digest}: has ${diffIds.length} diff ids for ${layers.length} layers`,
      )
    return [nodeOf(config), ...layers.map((desc, at) => nodeOf(desc, { diffId: diffIds[at] }))]
  }

  #mayChange(type: LayerType | undefined): boolean {
    const { type: wanted, level } = this.#options.change.compression ?? {}
    if (wanted === undefined || type === undefined || type.isForeign) return false
    return level !== undefined || type.compression !== (wanted === 'none' ? '' : wanted)
  }

  async #made(node: Node, options: AbortOptions): Promise<Descriptor> {
    const { desc } = node
    if (isManifestOrIndex(desc)) return this.#document(node, options)
    const type = node.verbatim ? undefined : readLayerType(desc.mediaType)
    if (type !== undefined) return this.#layer(node, type, options)
    await this.#copy(desc, {}, options)
    return desc
  }

  async #layer(node: Node, type: LayerType, options: AbortOptions): Promise<Descriptor> {
    const { desc, diffId } = node
    const { format = type.format, compression } = this.#options.change
    const now = await this.#compressionOf(desc, type, options)
    const wanted = type.isForeign ? now : (compression?.type ?? now)
    const stays = wanted === now && (type.isForeign || compression?.level === undefined)
    const mediaType =
      wanted === now && format === type.format ? desc.mediaType : convertedLayerType(type, format, wanted)
    if (stays) {
      if (!(await this.#leaves(desc, options))) await this.#copy(desc, {}, options)
      return { ...desc, mediaType }
    }
    this.#refuse(desc)
    const ref = conversionRef({ type: wanted }, desc.digest)
    this.board.tell(desc, { type: 'started', ref, offset: 0 })
    const made = await convertLayer(this.#from, this.#to, desc, {
      compression: { ...compression, type: wanted },
      mediaType,
      diffId,
      onVerified: this.#options.onVerified,
      onRead: offset => this.board.tell(desc, { type: 'copied', ref, offset }),
      ...options,
    })
    this.board.tell(desc, { type: 'committed', ref, offset: desc.size })
    return made
  }

  async #leaves(desc: Descriptor, options: AbortOptions): Promise<boolean> {
    return isNonDistributable(desc) && (await this.#options.leaves?.(desc, options)) === true
  }

  /** Docker's plain layer type has been used for gzip too, so those bytes are asked where it matters. */
  async #compressionOf(
    desc: Descriptor,
    { compression }: LayerType,
    { signal }: AbortOptions,
  ): Promise<Compression> {
    if (compression !== 'unknown') return compression === '' ? 'none' : compression
    const chunks: Uint8Array[] = []
    for await (const chunk of this.#from.read(desc, { offset: 0, length: sniffLength, signal }))
      chunks.push(chunk)
    return sniffCompression(Buffer.concat(chunks))
  }

  async #document(node: Node, options: AbortOptions): Promise<Descriptor> {
    const { desc } = node
    const { change, select } = this.#options
    const bytes = await readBlob(this.#from, desc, { maxSize: maxManifestSize, ...options })
    const all = await this.#all(desc, options)
    const changes = this.#changes(node, all)
    const mediaType =
      change.format === undefined ? desc.mediaType : documentType(desc.mediaType, change.format)
    const json = asObject(parseJson(bytes, desc.digest), desc.digest)
    const rewritten = rewriteDocument(desc, json, changes, mediaType, change.format)
    if (rewritten === undefined) {
      await this.#copy(desc, childLabels(all), options)
      return desc
    }
    this.#refuse(desc)
    if (select !== undefined && isIndex(desc) && changes.every(({ after }) => after === undefined))
      throw new OrlopError(
        'NOT_FOUND',
        `index ${desc.digest}: nothing of it is left for the platforms asked for`,
      )
    this.#tellLost(desc, rewritten.lost, changes)
    const made = descriptorOf(mediaType, rewritten.bytes)
    await this.#write(made, rewritten.bytes, childLabels(afterOf(changes)), options)
    this.board.tell(desc, { type: 'committed', ref: refKey(desc), offset: desc.size })
    return made
  }

  #tellLost(desc: Descriptor, lost: readonly string[], changes: readonly ChildChange[]): void {
    const { onLost, onRewritten } = this.#options
    onRewritten?.(desc)
    for (const what of lost) onLost?.(`${what}, for which Docker's format has no place`)
    const kept = new Set(changes.flatMap(({ before, after }): string[] => (after ? [before.digest] : [])))
    for (const { before, after } of changes) {
      const about = before.annotations?.[attestationSubject]
      if (after === undefined && about !== undefined && kept.has(about))
        onLost?.(`attestation ${before.digest}, which is for no platform (keep all to keep it)`)
    }
  }

  /** What became of each child that the document names; one that was not selected goes. */
  #changes(node: Node, all: readonly Descriptor[]): readonly ChildChange[] {
    const { format } = this.#options.change
    const below = this.#below.get(keyOf(node)) ?? []
    return all.map((before, at) => {
      const child = isIndex(node.desc) ? below.find(({ desc }) => desc === before) : below[at]
      if (child === undefined) return { before }
      const after = this.resultOf(child)
      const isItsConfig = isManifest(node.desc) && at === 0
      if (!isItsConfig || format === undefined) return { before, after }
      return { before, after: { ...after, mediaType: configType(before.mediaType, format) } }
    })
  }

  #refuse({ digest }: Descriptor): void {
    if (!this.#options.preserve) return
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `content ${digest}: would have to change, and digests are to be preserved`,
    )
  }

  async #copy(desc: Descriptor, labels: Labels, options: AbortOptions): Promise<void> {
    const more = await this.#options.labels?.(desc, options)
    await copyBlob(this.#from, this.#to, desc, {
      ...options,
      labels: { ...more, ...labels },
      onProgress: (_, event) => this.board.tell(desc, event),
    })
  }

  async #write(desc: Descriptor, bytes: Uint8Array, labels: Labels, options: AbortOptions): Promise<void> {
    const from: Provider = {
      read: async function* (_, { offset = 0 } = {}) {
        yield bytes.subarray(offset)
      },
    }
    await copyBlob(from, this.#to, desc, { ...options, labels })
  }
}

const afterOf = (changes: readonly ChildChange[]): readonly Descriptor[] =>
  changes.flatMap(({ after, before }) => (after === undefined ? [] : [{ ...before, ...after }]))
