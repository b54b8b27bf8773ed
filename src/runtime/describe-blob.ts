import { readBlob } from '../content/blob.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { parseDigest } from '../oci/digest.ts'
import { maxManifestSize } from '../oci/document.ts'
import { mediaTypes } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { mediaTypeOf } from '../remotes/registry/manifest-type.ts'
import type { LocalContent } from './documents.ts'

/**
 * The descriptor of a manifest or index that is here.
 *
 * @param mediaType  default: what the document says, or is by its fields
 * @throws INVALID_ARGUMENT  not a digest, or bytes that are neither manifest nor index
 * @throws NOT_FOUND  it is not here
 */
export async function describeBlob(
  content: LocalContent,
  digest: string,
  mediaType: string | undefined,
  options: AbortOptions = {},
): Promise<Descriptor> {
  const parsed = parseDigest(digest)
  const { size } = await content.info(parsed, options)
  if (mediaType !== undefined) return Object.freeze({ mediaType, digest: parsed, size })
  const target = { mediaType: mediaTypes.octetStream, digest: parsed, size }
  const bytes = await readBlob(content, target, { ...options, maxSize: maxManifestSize })
  return Object.freeze({ ...target, mediaType: mediaTypeOf('', bytes, `content ${digest}`) })
}
