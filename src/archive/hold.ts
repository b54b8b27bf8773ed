import { openWriter } from '../content/open-writer.ts'
import type { ContentStore } from '../content/types.ts'
import { isAlreadyExists } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { AbortOptions } from '../options.ts'

/** Puts a blob under the lease that a store is bound to; false when the blob is not there. */
export async function holdBlob(
  content: ContentStore,
  { digest, size, mediaType }: Pick<Descriptor, 'digest' | 'size' | 'mediaType'>,
  options: AbortOptions,
): Promise<boolean> {
  const ref = `hold-${digest}`
  try {
    // A store adds what is there to the lease of who wants to write it.
    const writer = await openWriter(content, { ref, expected: { digest, size, mediaType } }, options)
    await writer[Symbol.asyncDispose]()
    await content.abort(ref).catch(() => undefined)
    return false
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    return true
  }
}
