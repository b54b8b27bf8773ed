import { copyBlob, readBlob } from '../../content/blob.ts'
import type { Provider } from '../../content/types.ts'
import { isNotFound, OrlopError } from '../../errors.ts'
import {
  maxSignatureSize,
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
import type { Pusher, Resolver } from '../types.ts'

/** The tag under which sigstore's tools put what they attach to a manifest: `sha256-<hex>.sig`. */
export const signatureTag = (digest: Digest): string => `${algorithmOf(digest)}-${encodedOf(digest)}.sig`

const referenceTo = (reference: string, digest: Digest): string =>
  formatReference(withTag(parseReference(reference), signatureTag(digest)))

/**
 * The signatures that are attached to a manifest in its repository; none when the tag is not there.
 *
 * @throws INVALID_ARGUMENT  what the tag points at is no manifest
 * @throws RESOURCE_EXHAUSTED  more than 128, or a payload of more than 4 MiB
 * @throws DATA_LOSS  a payload that is not what its digest says
 */
export async function readAttachments(
  resolver: Resolver,
  reference: string,
  digest: Digest,
  options: AbortOptions = {},
): Promise<readonly SigstoreSignature[]> {
  const name = referenceTo(reference, digest)
  const target = await resolveIfThere(resolver, name, options)
  if (target === undefined) return []
  if (!isManifest(target))
    throw new OrlopError('INVALID_ARGUMENT', `${name}: ${target.mediaType} where signatures should be`)
  const fetcher = await resolver.fetcher(name, options)
  const { layers } = parseManifest(await readBlob(fetcher, target, options), name)
  if (layers.length > maxSignatures)
    throw new OrlopError('RESOURCE_EXHAUSTED', `${name}: more than ${maxSignatures} signatures`)
  const signatures: SigstoreSignature[] = []
  for (const layer of layers) signatures.push(await readLayer(fetcher, layer, options))
  return signatures
}

async function resolveIfThere(
  resolver: Resolver,
  name: string,
  options: AbortOptions,
): Promise<Descriptor | undefined> {
  try {
    return await resolver.resolve(name, options)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

const readLayer = async (
  provider: Provider,
  layer: Descriptor,
  options: AbortOptions,
): Promise<SigstoreSignature> => ({
  format: 'sigstore',
  mediaType: layer.mediaType,
  payload: await readBlob(provider, layer, { maxSize: maxSignatureSize, ...options }),
  annotations: layer.annotations ?? {},
})

/** Adds signatures to those attached to a manifest; the same one is not added twice, and others keep their place. */
export async function writeAttachments(
  { resolver, pusher }: { readonly resolver: Resolver; readonly pusher: Pusher },
  reference: string,
  digest: Digest,
  signatures: readonly SigstoreSignature[],
  options: AbortOptions = {},
): Promise<void> {
  const there = await readAttachments(resolver, reference, digest, options)
  const added = signatures.filter(one => !there.some(other => sameSignature(one, other)))
  if (added.length === 0) return
  const all = [...there, ...added]
  const layers: Descriptor[] = []
  for (const one of all) {
    const { annotations } = one
    const layer = await put(pusher, one.mediaType, one.payload, options)
    layers.push({ ...layer, ...(Object.keys(annotations).length > 0 && { annotations }) })
  }
  const config = await put(pusher, mediaTypes.ociConfig, configOf(layers), options)
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }
  const manifest = await put(pusher, mediaTypes.ociManifest, json(document), options)
  await pusher.tag(referenceTo(reference, digest), manifest, options)
}

/** An image's config, as sigstore's tools write one: its diff ids are the payloads. */
const configOf = (layers: readonly Descriptor[]): Uint8Array =>
  json({
    architecture: '',
    os: '',
    created: '0001-01-01T00:00:00Z',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    history: layers.map(() => ({ created: '0001-01-01T00:00:00Z' })),
  })

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

async function put(
  pusher: Pusher,
  mediaType: string,
  bytes: Uint8Array,
  options: AbortOptions,
): Promise<Descriptor> {
  const target = descriptorOf(mediaType, bytes)
  const source: Provider = {
    async *read(_, { offset = 0 } = {}) {
      yield bytes.subarray(offset)
    },
  }
  await copyBlob(source, pusher, target, options)
  return target
}

/** True for signatures that can be attached. */
export const isSigstore = (signature: Signature): signature is SigstoreSignature =>
  signature.format === 'sigstore'
