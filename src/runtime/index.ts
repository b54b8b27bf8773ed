/**
 * A store under a root directory, and the verbs on it.
 *
 * `Runtime.open({root})` opens the blobs and records under a root; `runtime.scope(namespace)` gives the stores of one
 * namespace: content, images, leases. The verbs (`pull`, `tag`, `lookup`, `describe`, `inspect`, `measure`, `prune`) take a
 * scope, and a resolver where they talk to a registry. One process opens a root at a time; another is told at once who has it.
 * `openShared` of the service's layer lets several use one root.
 */
export type { FsckOptions } from '../fsck/fsck.ts'
export type { Rebuilt } from '../fsck/rebuild.ts'
export type { RebuiltImage } from '../fsck/rebuild-names.ts'
export type { Repaired } from '../fsck/repair.ts'
export type { Checked, Finding, FindingClass, FsckReport } from '../fsck/types.ts'
export type { TransportParts } from '../transports/open.ts'
export { formatPlace, type Place, parsePlace } from '../transports/place.ts'
export * from './convert.ts'
export * from './copy.ts'
export * from './copy-places.ts'
export type { CopySelection } from './copy-selection.ts'
export type {
  DiskUsage,
  ImageUsage,
  Parts,
  PartUsage,
  SetUsage,
} from './disk-usage.ts'
export * from './export.ts'
export * from './files/index.ts'
export * from './fsck.ts'
export * from './import.ts'
export * from './inspect.ts'
export * from './list.ts'
export * from './local-verbs.ts'
export * from './lookup.ts'
export { measure, measureSet } from './measure.ts'
export * from './prune.ts'
export type { Left, MissedCap, PruneDecision, PrunePlan } from './prune-plan.ts'
export type { PruneRule, PruneRules } from './prune-rules.ts'
export * from './pull.ts'
export * from './push.ts'
export * from './rebuild.ts'
export * from './runtime.ts'
export * from './select.ts'
export * from './storage-image.ts'
export * from './tag.ts'
export * from './verbs.ts'
export * from './verify.ts'
