/**
 * Collection: removing what nothing keeps.
 *
 * Images, leases, roots by label and unfinished writes keep what they refer to; a `Collector` removes the rest, records first
 * and then bytes, beside readers and writers. It can plan first, and say why a thing stays. A `Scheduler` decides when to
 * collect, for processes that stay. docs/gc.md tells it all.
 */
export type { Orphan } from './bytes.ts'
export {
  type Collection,
  type CollectOptions,
  Collector,
  type CollectorParts,
  type RemovedItem,
} from './collector.ts'
export type { PauseReport } from './pauses.ts'
export type { Item, Plan } from './plan.ts'
export {
  type Collect,
  type ScheduleOptions,
  Scheduler,
  type SchedulerOptions,
  type Timers,
} from './scheduler.ts'
export type { KeptPath, Why, WhyOptions } from './why.ts'
