import { copyBlob, readBlob } from '../../content/blob.ts'
import { ifFound } from '../../content/if-found.ts'
import type { Provider } from '../../content/types.ts'
import { OrlopError } from '../../errors.ts'
import {
  maxPayloadSize,
  maxSignatures,
  type Signature,
  type SigstoreSignature,
  sameSignature,
} from '../../images/signature.ts'
import { type Descriptor, descriptorOf } from '../../oci/descriptor.ts'
import { algorithmOf, type Digest, encodedOf } from '../../oci/digest.ts'
import { parseManifest } from '../../oci/document.ts'
import { isManifest, mediaTypes } from '../../oci/media-type.ts'
import { formatReference, parseReference, withTag } from '../../oci/reference.ts'
import type { AbortOptions } from '../../options.ts'
import type { Pusher, RemoteRepository } from '../types.ts'

/** The tag under which sigstore's tools put what they attach to a manifest: `sha256-<hex>.sig`. */
export const signatureTag = (digest: Digest): string => `${algorithmOf(digest)}-${encodedOf(digest)}.sig`

/** The repository that signatures are attached in. */
export type AttachedTo = Pick<RemoteRepository, 'manifest' | 'read'>

/**
 * The signatures that are attached to a manifest in its repository; none when the tag is not there.
 *
 * @throws INVALID_ARGUMENT  what the tag points at is no manifest
 * @throws RESOURCE_EXHAUSTED  more than 128, or a payload of more than 4 MiB
 * @throws DATA_LOSS  a payload that is not what its digest says
 */
export async function readAttachments(
  repository: AttachedTo,
  digest: Digest,
  options: AbortOptions = {},
): Promise<readonly SigstoreSignature[]> {
  const tag = signatureTag(digest)
  const found = await ifFound(repository.manifest(tag, options))
  if (found === undefined) return []
  if (!isManifest(found.target))
    throw new OrlopError('INVALID_ARGUMENT', `${tag}: ${found.target.mediaType} where signatures should be`)
  const { layers } = parseManifest(found.bytes, tag)
  if (layers.length > maxSignatures)
    throw new OrlopError('RESOURCE_EXHAUSTED', `${tag}: more than ${maxSignatures} signatures`)
  const signatures: SigstoreSignature[] = []
  for (const layer of layers) signatures.push(await readLayer(repository, layer, options))
  return signatures
}

const readLayer = async (
  provider: Provider,
  layer: Descriptor,
  options: AbortOptions,
): Promise<SigstoreSignature> => ({
  format: 'sigstore',
  mediaType: layer.mediaType,
  payload: await readBlob(provider, layer, { maxSize: maxPayloadSize, ...options }),
  annotations: layer.annotations ?? {},
})

/** Where signatures are attached: what is there, and who writes. */
export interface AttachTo {
  readonly repository: AttachedTo
  /** @param reference  with the tag, and the digest of what goes there */
  pusher(reference: string, options: AbortOptions): Promise<Pick<Pusher, 'writer'>>
}

/** Adds signatures to those attached to a manifest; the same one is not added twice, and others keep their place. */
export async function writeAttachments(
  { repository, pusher }: AttachTo,
  reference: string,
  digest: Digest,
  signatures: readonly SigstoreSignature[],
  options: AbortOptions = {},
): Promise<void> {
  const there = await readAttachments(repository, digest, options)
  const added = signatures.filter(one => !there.some(other => sameSignature(one, other)))
  if (added.length === 0) return
  const layers = [...there, ...added].map(layerOf)
  const config = blobOf(mediaTypes.ociConfig, configOf(layers))
  const manifest = blobOf(mediaTypes.ociManifest, json(manifestOf(config, layers)))
  const tagged = withTag(parseReference(reference), signatureTag(digest))
  const to = await pusher(formatReference({ ...tagged, digest: manifest.target.digest }), options)
  // Leaves first: the tag appears when all of it is there.
  for (const blob of [...layers, config, manifest]) await copyBlob(blob.source, to, blob.target, options)
}

interface Blob {
  readonly target: Descriptor
  readonly source: Provider
}

const blobOf = (mediaType: string, bytes: Uint8Array): Blob => ({
  target: descriptorOf(mediaType, bytes),
  source: {
    async *read(_, { offset = 0 } = {}) {
      yield bytes.subarray(offset)
    },
  },
})

function layerOf({ mediaType, payload, annotations }: SigstoreSignature): Blob {
  const { target, source } = blobOf(mediaType, payload)
  return { target: Object.keys(annotations).length > 0 ? { ...target, annotations } : target, source }
}

const manifestOf = (config: Blob, layers: readonly Blob[]) => ({
  schemaVersion: 2,
  mediaType: mediaTypes.ociManifest,
  config: config.target,
  layers: layers.map(({ target }) => target),
})

/** An image's config, as sigstore's tools write one: its diff ids are the payloads. */
const configOf = (layers: readonly Blob[]): Uint8Array =>
  json({
    architecture: '',
    os: '',
    created: '0001-01-01T00:00:00Z',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ target }) => target.digest) },
    history: layers.map(() => ({ created: '0001-01-01T00:00:00Z' })),
  })

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

/** True for signatures that can be attached. */
export const isSigstore = (signature: Signature): signature is SigstoreSignature =>
  signature.format === 'sigstore'
