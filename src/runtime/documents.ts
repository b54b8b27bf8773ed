import { checkRange, rangeOf } from '../content/range.ts'
import type { InfoProvider, Provider } from '../content/types.ts'

/** The content of a namespace, to read. */
export type LocalContent = Provider & InfoProvider

/** Documents that were made and not stored, by digest. */
export type Documents = Map<string, Uint8Array>

/** A content with some documents besides. */
export const withDocuments = (content: LocalContent, documents: Documents): LocalContent => ({
  read(target, options = {}) {
    const bytes = documents.get(target.digest)
    if (!bytes) return content.read(target, options)
    checkRange(options)
    const { start, end } = rangeOf(bytes.byteLength, options)
    return pieces(bytes.subarray(start, end))
  },
  async info(digest, options) {
    const bytes = documents.get(digest)
    if (!bytes) return content.info(digest, options)
    const at = new Date()
    return { digest, size: bytes.byteLength, createdAt: at, updatedAt: at, labels: {} }
  },
})

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  // A copy: what is given out is the reader's to change.
  if (bytes.byteLength > 0) yield new Uint8Array(bytes)
}
