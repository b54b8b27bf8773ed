import type { LabelStore } from '../../src/content/fs-store.ts'
import type { Labels } from '../../src/content/types.ts'
import type { Digest } from '../../src/oci/digest.ts'

/** Labels in a Map. */
export function memoryLabels(): LabelStore {
  const labels = new Map<Digest, Labels>()
  return {
    get: async digest => labels.get(digest) ?? {},
    set: async (digest, next) => void labels.set(digest, next),
    delete: async digest => void labels.delete(digest),
  }
}
