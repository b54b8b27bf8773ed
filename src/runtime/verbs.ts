import type { RebuildOptions, Rebuilt } from '../fsck/rebuild.ts'
import type { Repaired } from '../fsck/repair.ts'
import type { FsckReport } from '../fsck/types.ts'
import type { Collection, CollectOptions } from '../gc/collector.ts'
import type { Plan } from '../gc/plan.ts'
import type { Why, WhyOptions } from '../gc/why.ts'
import type { Node } from '../metadata/collectible.ts'
import type { AbortOptions } from '../options.ts'
import type { Resolver } from '../remotes/types.ts'
import type { DiskUsage, SetUsage } from './disk-usage.ts'
import type { Pruned, PruneOptions } from './prune.ts'
import type { PruneRules } from './prune-rules.ts'

/** Removes what nothing keeps, of all namespaces, and says why things go or stay. See `Collector`, also for errors. */
export interface CollectVerbs {
  collect(options?: CollectOptions): Promise<Collection>
  plan(options?: AbortOptions): Promise<Plan>
  why(node: Node, options?: WhyOptions): Promise<Why>
}

/** What images and the store take, and room made by rules; of a namespace. See `measure` and `prune`, also for errors. */
export interface UsageVerbs {
  measure(namespace: string, options?: AbortOptions): Promise<DiskUsage>
  /** @param names  of images */
  measureSet(namespace: string, names: readonly string[], options?: AbortOptions): Promise<SetUsage>
  prune(namespace: string, rules: PruneRules, options?: PruneOptions): Promise<Pruned>
}

/** Options of `FsckVerbs.check`. */
export interface CheckOptions extends AbortOptions {
  /** True: sizes are compared, and only indexes and manifests are hashed. */
  readonly quick?: boolean | undefined
}

/** Options of `FsckVerbs.repair`. */
export interface MendOptions extends CheckOptions {
  /** Reaches the registries that have good copies; without it nothing is fetched. */
  readonly resolver?: Resolver | undefined
  /** A reference whose repository is asked first for every blob. */
  readonly from?: string | undefined
}

/** What a check found and a repair did. */
export interface Mended extends FsckReport {
  /** One for each finding. */
  readonly repaired: readonly Repaired[]
  /** The directory of what was taken out, when anything was. */
  readonly quarantine?: string
}

/** Damage: found, repaired, and records made anew. See `checkStore`, `repairStore` and `rebuildStore`, also for errors. */
export interface FsckVerbs {
  check(options?: CheckOptions): Promise<FsckReport>
  /** Checks, and repairs what it found. */
  repair(options?: MendOptions): Promise<Mended>
  /** Of a store whose database can be read. */
  rebuild(options?: Omit<RebuildOptions, 'onFile'>): Promise<Rebuilt>
}

/** The verbs on a store as a whole: of a runtime of this process, or of the process that has the store open. */
export interface Verbs extends CollectVerbs, UsageVerbs, FsckVerbs {}
