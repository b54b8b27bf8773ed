import { copyBlob, readBlob } from '../content/blob.ts'
import type { InfoProvider, Ingester, Labels, Provider } from '../content/types.ts'
import { isNotFound } from '../errors.ts'
import { labelKeys } from '../oci/annotations.ts'
import { descriptorOf } from '../oci/descriptor.ts'
import { type Digest, encodedOf, isDigest } from '../oci/digest.ts'
import { mediaTypes } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import {
  decodeSignature,
  encodeSignature,
  maxEncodedSize,
  maxSignatures,
  type Signature,
} from './signature.ts'

const labelPrefix = `${labelKeys.gcRefContent}.signature.sha256.`

/**
 * Writes signatures as blobs.
 *
 * @returns the labels that the signed manifest's record must get: they are the edges by which the blobs stay, and by which
 * `storedSignatures` finds them. Until they are written a lease has to hold the blobs.
 */
export async function storeSignatures(
  content: Ingester,
  signatures: readonly Signature[],
  options: AbortOptions = {},
): Promise<Labels> {
  const labels: Record<string, string> = {}
  for (const signature of signatures) {
    const bytes = encodeSignature(signature)
    const target = descriptorOf(mediaTypes.octetStream, bytes)
    const source: Provider = {
      async *read(_, { offset = 0 } = {}) {
        yield bytes.subarray(offset)
      },
    }
    await copyBlob(source, content, target, { ref: `signature-${target.digest}`, ...options })
    labels[`${labelPrefix}${encodedOf(target.digest).slice(0, 12)}`] = target.digest
  }
  return labels
}

/**
 * The signatures that a store has of a manifest, in the order of their digests; none when the manifest is not there.
 *
 * @throws INVALID_ARGUMENT, DATA_LOSS, NOT_FOUND  a blob that its label calls a signature is none, damaged, or gone
 */
export async function storedSignatures(
  store: Provider & InfoProvider,
  manifest: Digest,
  options: AbortOptions = {},
): Promise<readonly Signature[]> {
  const signatures: Signature[] = []
  for (const digest of (await signatureDigests(store, manifest, options)).slice(0, maxSignatures)) {
    const { size } = await store.info(digest, options)
    const target = { digest, size, mediaType: mediaTypes.octetStream }
    const bytes = await readBlob(store, target, { maxSize: maxEncodedSize, ...options })
    signatures.push(decodeSignature(bytes, `signature ${digest}`))
  }
  return signatures
}

async function signatureDigests(
  store: InfoProvider,
  manifest: Digest,
  options: AbortOptions,
): Promise<readonly Digest[]> {
  try {
    const { labels } = await store.info(manifest, options)
    return Object.entries(labels)
      .filter(([key]) => key.startsWith(labelPrefix))
      .map(([, digest]) => digest)
      .filter(isDigest)
      .toSorted()
  } catch (error) {
    if (isNotFound(error)) return []
    throw error
  }
}
