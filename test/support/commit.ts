import type { Ingester, Labels } from '../../src/content/types.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'

/** Commits bytes as a blob. */
export async function commitBytes(
  store: Ingester,
  bytes: Uint8Array,
  { labels, ref = digestOf(bytes) }: { readonly labels?: Labels; readonly ref?: string } = {},
): Promise<Digest> {
  const digest = digestOf(bytes)
  await using writer = await store.writer({ ref, expected: { digest, size: bytes.byteLength } })
  // What another namespace has is there already.
  if (writer.offset < bytes.byteLength) await writer.write(bytes.subarray(writer.offset))
  return writer.commit({ digest, labels })
}
