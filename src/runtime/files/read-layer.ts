import { readTar } from '../../archive/tar.ts'
import type { TarEntry } from '../../archive/types.ts'
import type { Provider } from '../../content/types.ts'
import { verified } from '../../content/verify.ts'
import { OrlopError } from '../../errors.ts'
import { checkDiffId, decompressedLayer } from '../../images/convert/layer.ts'
import { algorithmOf, Digester } from '../../oci/digest.ts'
import { mediaTypes } from '../../oci/media-type.ts'
import type { AbortOptions } from '../../options.ts'
import type { Budget } from './budget.ts'
import type { ImageLayer } from './image-layers.ts'
import { nameInLayer, rooted } from './names.ts'
import type { FileType, ImageFile, LayerMark } from './types.ts'

/** What is needed to read layers. */
export interface LayerReading extends AbortOptions {
  readonly provider: Provider
  readonly budget: Budget
}

/** One entry of a layer; the bytes of a file can be read until the next is asked for. */
export type LayerEntry =
  | { readonly file: ImageFile; body(): AsyncGenerator<Uint8Array, void, undefined> }
  | { readonly mark: LayerMark }

/** How a layer is named in errors. */
export const whatOf = ({ descriptor }: ImageLayer): string => `layer ${descriptor.digest}`

/**
 * The entries of one layer as they stand in its tar. Leaving the loop closes the layer.
 *
 * @throws DATA_LOSS  at the end: its bytes are not what its digest says, or without compression not what the config says;
 *   before: they cannot be decompressed or the tar is damaged
 * @throws INVALID_ARGUMENT  no tar, or a name that leads out
 * @throws RESOURCE_EXHAUSTED  a decompression bomb, or more than the budget
 * @throws UNIMPLEMENTED  a layer that is encrypted or no tar
 */
export async function* readLayer(
  layer: ImageLayer,
  reading: LayerReading,
): AsyncGenerator<LayerEntry, void, undefined> {
  refuseUnreadable(layer)
  const state: SourceState = { isVerified: false }
  try {
    yield* entriesOf(layer, reading, state)
  } catch (error) {
    // What is wrong with the bytes comes before what the tar makes of it.
    throw state.failure ?? error
  }
  if (!state.isVerified)
    throw new OrlopError('DATA_LOSS', `${whatOf(layer)}: has bytes after the end of its compressed stream`)
}

/** What became of the bytes of a layer. */
interface SourceState {
  /** All were read, and are those of the digest. */
  isVerified: boolean
  failure?: unknown
}

async function* entriesOf(
  layer: ImageLayer,
  { budget, signal, ...reading }: LayerReading,
  state: SourceState,
): AsyncGenerator<LayerEntry, void, undefined> {
  const what = whatOf(layer)
  const inWhat = `${what}: entry`
  const source = plainBytes(layer, { budget, signal, ...reading }, state)
  for await (const entry of readTar(source, { what, drain: true, signal })) {
    const named = nameInLayer(entry.name, inWhat)
    if (named.kind === 'ignored') continue
    if (named.kind !== 'file') {
      budget.hold(Buffer.byteLength(named.path), what)
      yield { mark: { path: named.path, type: named.kind, layer: layer.ref } }
      continue
    }
    const file = describe(entry, named.path, layer, what)
    budget.hold(heldBy(file), what)
    yield { file, body: entry.body }
  }
}

function refuseUnreadable({ descriptor: { mediaType, digest } }: ImageLayer): void {
  if (mediaType.endsWith('+encrypted'))
    throw new OrlopError('UNIMPLEMENTED', `layer ${digest}: is encrypted, so its files cannot be told`)
  if (mediaType.startsWith(mediaTypes.erofsLayer))
    throw new OrlopError('UNIMPLEMENTED', `layer ${digest}: is a file system (${mediaType}), not a tar`)
}

async function* plainBytes(
  layer: ImageLayer,
  { provider, budget, signal }: LayerReading,
  state: SourceState,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { descriptor, diffId } = layer
  const digester = diffId && new Digester(algorithmOf(diffId))
  try {
    const source = noted(verified(provider.read(descriptor, { signal }), descriptor), state)
    for await (const chunk of decompressedLayer(source, descriptor, { signal })) {
      budget.read(chunk.byteLength, whatOf(layer))
      digester?.update(chunk)
      yield chunk
    }
    if (digester) checkDiffId(descriptor, digester.digest(), diffId)
  } catch (error) {
    state.failure = error
    throw error
  }
}

async function* noted(
  source: AsyncIterable<Uint8Array>,
  state: SourceState,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* source
  state.isVerified = true
}

function describe(entry: TarEntry, path: string, layer: ImageLayer, what: string): ImageFile {
  const type: FileType = entry.type === 'link' ? 'hardlink' : entry.type
  if (path === '/' && type !== 'directory')
    throw new OrlopError('INVALID_ARGUMENT', `${what}: its root is a ${type}, not a directory`)
  const link = type === 'hardlink' ? rooted(entry.linkName, `${what}: link`) : entry.linkName
  const isDevice = type === 'character-device' || type === 'block-device'
  const xattrs = xattrsOf(entry)
  return {
    path,
    type,
    mode: entry.mode & 0o7777,
    uid: entry.uid,
    gid: entry.gid,
    size: entry.size,
    modifiedAt: entry.modifiedAt,
    ...(link !== '' && { link }),
    ...(isDevice && { device: [entry.deviceMajor, entry.deviceMinor] as const }),
    ...(xattrs && { xattrs }),
    layer: layer.ref,
  }
}

const xattrPrefix = 'SCHILY.xattr.'

function xattrsOf({ pax }: TarEntry): Readonly<Record<string, string>> | undefined {
  const found: [string, string][] = []
  for (const [key, value] of pax)
    if (key.startsWith(xattrPrefix)) found.push([key.slice(xattrPrefix.length), value])
  return found.length === 0 ? undefined : Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)))
}

const heldBy = ({ path, link = '', xattrs = {} }: ImageFile): number =>
  Object.entries(xattrs).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    Buffer.byteLength(path) + Buffer.byteLength(link),
  )
