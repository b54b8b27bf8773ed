/**
 * Content: bytes by digest.
 *
 * A blob is immutable and found by its digest. It comes to be through an ingest: `writer({ref})` opens one, `write` appends,
 * `commit` verifies and makes it a blob. Before the commit it is listed by `statuses` and no reader sees it; after it,
 * `info`, `read` and `list` do and the ingest is gone. A writer that is disposed without commit leaves its ingest, and
 * the next one on the same ref goes on where it stopped.
 *
 * A store of one's own implements `ContentStore`; `parseFilters` with `infoFields` and `statusFields` reads the filters that
 * its lists are given, `changeLabels` does what its `update` must, and `RefLocks` keeps writers of one ref apart.
 *
 * Bytes are verified when they are committed; reading does not verify, see `verified` and `readBlob`. Nothing here knows
 * what an image is, and nothing here decides what may be deleted.
 */
export { type Fields, type Filter, labelField, parseFilters } from '../filters/filter.ts'
export { has, type ReadBlobOptions, readBlob } from './blob.ts'
export { type CacheOptions, cached } from './cache.ts'
export { type CopyBlobOptions, type CopyEvent, type CopyTarget, copyBlob } from './copy.ts'
export { infoFields, statusFields } from './fields.ts'
export { firstOf } from './first-of.ts'
export { FsStore, type FsStoreOptions, type LabelStore } from './fs-store.ts'
export { changeLabels, keptLabels } from './labels.ts'
export { MemoryStore, type MemoryStoreOptions } from './memory-store.ts'
export { openWriter } from './open-writer.ts'
export { refKey } from './ref-key.ts'
export { type RefHolder, type RefLock, RefLocks } from './ref-locks.ts'
export type * from './types.ts'
export { verified } from './verify.ts'
