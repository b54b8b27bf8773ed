import { openWriter } from '../../content/open-writer.ts'
import type { Ingester, Labels, Provider } from '../../content/types.ts'
import { verified } from '../../content/verify.ts'
import { isAlreadyExists, OrlopError } from '../../errors.ts'
import type { KnownLayer } from '../../metadata/diff-ids.ts'
import { labelKeys } from '../../oci/annotations.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { algorithmOf, type Digest, Digester } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import { type CompressionTarget, compress } from '../compress.ts'
import { type Compression, decompress, sniffCompression, sniffLength } from '../decompress.ts'

/** What `convertLayer` makes. */
export interface LayerConversion extends AbortOptions {
  readonly compression: CompressionTarget
  /** Of the layer that is made. */
  readonly mediaType: string
  /** What the config says the layer is without compression. */
  readonly diffId?: Digest | undefined
  /** Labels for what is made, besides the one that tells its diff id. */
  readonly labels?: Labels | undefined
  /** Told of the layers that have been read and hashed with and without compression: the old one and the new. */
  readonly onVerified?: ((layers: readonly KnownLayer[], options: AbortOptions) => Promise<void>) | undefined
  /** Told how many bytes of the source have been read. */
  readonly onRead?: ((bytes: number) => void) | undefined
}

/** The ref under which a converted layer is written: the same for all who convert the same. */
export const conversionRef = ({ type }: CompressionTarget, digest: Digest): string =>
  `convert-${type === 'none' ? 'uncompress' : type}-from-${digest}`

/**
 * Writes a layer with another compression. The source's digest is checked, and its diff id where it is known, before
 * anything becomes content.
 *
 * A conversion that was broken off begins anew.
 *
 * @throws DATA_LOSS  the layer's bytes are not what its digest says, or decompressed not what `diffId` says
 * @throws RESOURCE_EXHAUSTED  what comes out is more than any gzip can hold, as of a decompression bomb
 */
export async function convertLayer(
  from: Provider,
  to: Ingester,
  layer: Descriptor,
  { compression, mediaType, diffId, labels, onVerified, onRead, signal }: LayerConversion,
): Promise<Descriptor> {
  const init = { ref: conversionRef(compression, layer.digest), expected: { mediaType } }
  await using writer = await openWriter(to, init, { signal })
  if (writer.offset > 0) await writer.reset({ signal })
  const plain = new Digester(diffId === undefined ? 'sha256' : algorithmOf(diffId))
  const source = counted(verified(from.read(layer, { signal }), layer), onRead)
  let plainSize = 0
  const bytes = tapped(decompressedLayer(source, layer, { signal }), chunk => {
    plain.update(chunk)
    plainSize += chunk.byteLength
  })
  for await (const chunk of compress(bytes, compression, { signal })) {
    signal?.throwIfAborted()
    await writer.write(chunk, { signal })
  }
  const actual = plain.digest()
  try {
    checkDiffId(layer, actual, diffId)
  } catch (error) {
    await writer.reset({ signal })
    throw error
  }
  const { digest, offset: size } = writer
  const told: Labels = compression.type === 'none' ? {} : { [labelKeys.uncompressed]: actual }
  try {
    await writer.commit({ digest, size, labels: { ...labels, ...told }, signal })
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
  const known = [layer.digest, digest].map(blob => ({ diffId: actual, blob, size: plainSize }))
  await onVerified?.(known, { signal })
  return Object.freeze({ mediaType, digest, size })
}

/**
 * Makes sure that a layer is what its image's config says.
 *
 * @throws DATA_LOSS  it is not; the text names the layer and both digests
 */
export function checkDiffId(
  { digest }: Pick<Descriptor, 'digest'>,
  actual: Digest,
  expected: Digest | undefined,
): void {
  if (expected === undefined || expected === actual) return
  throw new OrlopError(
    'DATA_LOSS',
    `layer ${digest}: without compression its bytes are ${actual}, its config says ${expected}`,
  )
}

/** What comes out of gzip is at most 1032 times what goes in; more than that is a bomb, when it is not a little. */
const free = 1024 * 1024 * 1024
const ratio = 1100

/**
 * The bytes of a layer without its compression, which its first bytes tell.
 *
 * @throws DATA_LOSS  they cannot be decompressed
 * @throws RESOURCE_EXHAUSTED  a decompression bomb
 */
export async function* decompressedLayer(
  source: AsyncIterable<Uint8Array>,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  options: AbortOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { compression, bytes } = await sniffed(source)
  let given = 0
  for await (const chunk of decompress(bytes, compression, `layer ${digest}`, options)) {
    given += chunk.byteLength
    if (given > free + ratio * size)
      throw new OrlopError(
        'RESOURCE_EXHAUSTED',
        `layer ${digest}: its ${size} bytes become more than ${given - chunk.byteLength}, refused as a decompression bomb`,
      )
    yield chunk
  }
}

async function sniffed(
  source: AsyncIterable<Uint8Array>,
): Promise<{ readonly compression: Compression; readonly bytes: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]()
  const first: Uint8Array[] = []
  for (let length = 0; length < sniffLength; ) {
    const { done, value } = await iterator.next()
    if (done) break
    first.push(value)
    length += value.byteLength
  }
  return { compression: sniffCompression(Buffer.concat(first)), bytes: rejoined(first, iterator) }
}

async function* rejoined(
  first: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* first
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  onRead: LayerConversion['onRead'],
): AsyncGenerator<Uint8Array, void, undefined> {
  let read = 0
  for await (const chunk of source) {
    read += chunk.byteLength
    onRead?.(read)
    yield chunk
  }
}

async function* tapped(
  source: AsyncIterable<Uint8Array>,
  take: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    take(chunk)
    yield chunk
  }
}
