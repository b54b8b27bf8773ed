import type { Manager, Provider } from '../content/types.ts'
import { verified } from '../content/verify.ts'
import { hasCode, isNotFound, OrlopError } from '../errors.ts'
import { labelKeys } from '../oci/annotations.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, Digester, isDigest } from '../oci/digest.ts'
import { mediaTypes } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { decompress, sniffCompression, sniffLength } from './decompress.ts'

/**
 * The digest of a layer without its compression, as a config's `rootfs.diff_ids` names it.
 *
 * Known at once for uncompressed OCI layers, and for those whose blob has the label `containerd.io/uncompressed`. Others
 * are read, their compression told by their first bytes, decompressed as a stream and hashed; what comes of it is
 * remembered as that label, other labels stay. Docker's plain layer type is read too, where containerd trusts it: such
 * blobs have been gzip.
 *
 * @param store  labels are used where it has them
 * @throws NOT_FOUND  no such blob
 * @throws DATA_LOSS  the blob's bytes are not what its digest says, or cannot be decompressed
 * @throws UNIMPLEMENTED  an encrypted layer
 * @see containerd core/images/diffid.go, GetDiffID
 */
export async function diffId(
  store: Provider | (Provider & Labeler),
  layer: Descriptor,
  options: AbortOptions = {},
): Promise<Digest> {
  if (plain.has(layer.mediaType)) return layer.digest
  if (layer.mediaType.endsWith('+encrypted')) {
    throw new OrlopError(
      'UNIMPLEMENTED',
      `layer ${layer.digest}: is encrypted, so its diff id cannot be told`,
    )
  }
  const known = isLabeler(store) ? await remembered(store, layer, options) : undefined
  if (known !== undefined) return known
  const found = await computed(store, layer, options)
  if (isLabeler(store)) await remember(store, layer, found, options)
  return found
}

/** What a store that keeps labels can do; a `ContentStore` can. */
export type Labeler = Pick<Manager, 'info' | 'update'>

const plain: ReadonlySet<string> = new Set([mediaTypes.ociLayer, mediaTypes.ociNondistributableLayer])

const isLabeler = (store: Provider): store is Provider & Labeler => 'info' in store && 'update' in store

async function remembered(
  store: Labeler,
  { digest }: Descriptor,
  options: AbortOptions,
): Promise<Digest | undefined> {
  const { labels } = await store.info(digest, options)
  const label = Object.hasOwn(labels, labelKeys.uncompressed) ? labels[labelKeys.uncompressed] : undefined
  return label !== undefined && isDigest(label) ? label : undefined
}

async function computed(store: Provider, layer: Descriptor, options: AbortOptions): Promise<Digest> {
  const { signal } = options
  const compression = sniffCompression(await firstBytes(store, layer, options))
  if (compression === 'none' && algorithmOf(layer.digest) === 'sha256') return layer.digest
  const digester = new Digester()
  // Verified, for a wrong diff id would be remembered.
  const bytes = verified(store.read(layer, { signal }), layer)
  for await (const chunk of decompress(bytes, compression, `layer ${layer.digest}`, { signal })) {
    signal?.throwIfAborted()
    digester.update(chunk)
  }
  return digester.digest()
}

async function firstBytes(store: Provider, layer: Descriptor, { signal }: AbortOptions): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of store.read(layer, { offset: 0, length: sniffLength, signal })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A store that keeps no labels, and a blob that went meanwhile, are no failure: the answer stands. */
async function remember(
  store: Labeler,
  { digest }: Descriptor,
  found: Digest,
  options: AbortOptions,
): Promise<void> {
  try {
    await store.update(digest, { labels: { [labelKeys.uncompressed]: found } }, options)
  } catch (error) {
    if (!isNotFound(error) && !hasCode(error, 'FAILED_PRECONDITION')) throw error
  }
}
