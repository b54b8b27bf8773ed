import { copyBlob } from '../content/copy.ts'
import type { Ingester, Labels } from '../content/types.ts'
import { type Descriptor, descriptorOf } from '../oci/descriptor.ts'
import type { AbortOptions } from '../options.ts'

/** Stores bytes that are in memory; where they are already, only the labels are merged. */
export async function putDocument(
  content: Ingester,
  mediaType: string,
  bytes: Uint8Array,
  { labels, signal }: AbortOptions & { readonly labels?: Labels | undefined } = {},
): Promise<Descriptor> {
  const desc = descriptorOf(mediaType, bytes)
  const memory = {
    async *read(_: unknown, { offset = 0 }: { readonly offset?: number | undefined } = {}) {
      yield bytes.subarray(offset)
    },
  }
  await copyBlob(memory, content, desc, { labels, signal })
  return desc
}
