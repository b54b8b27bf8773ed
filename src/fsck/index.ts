/**
 * Fsck: whether a store is whole, and what to do when it is not.
 *
 * `fsck` compares all records with all files and changes nothing. `repair` mends what a check found: it fetches good copies
 * first and swaps them in, and puts what it takes out into quarantine. Neither collects: orphans and stale ingests, which
 * every crash may leave, are the collector's. `rebuild` makes records anew when the database is lost.
 */
export { type FsckOptions, fsck } from './fsck.ts'
export { Quarantine } from './quarantine.ts'
export { type RebuildOptions, type Rebuilt, rebuild } from './rebuild.ts'
export { imagesOf, type RebuiltImage } from './rebuild-names.ts'
export { type Repaired, type RepairOptions, repair } from './repair.ts'
export type { Outcome, RepairParts } from './repair-blob.ts'
export { type RegistrySourcesInit, registrySources, type Source, type Sources } from './sources.ts'
export type * from './types.ts'
