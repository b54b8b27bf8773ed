import type { ContentStore } from '../content/types.ts'
import type { Collectible, Node } from '../metadata/collectible.ts'
import type { Database } from '../metadata/database.ts'
import type { Publisher } from '../metadata/exchange.ts'
import type { Gate } from '../metadata/gate.ts'
import type { AbortOptions } from '../options.ts'
import { Pace } from '../pace.ts'
import { type Orphan, orphansOf, removeOrphans } from './bytes.ts'
import { removalOrder } from './order.ts'
import { type PauseReport, Pauses } from './pauses.ts'
import { type Plan, planOf } from './plan.ts'
import { garbageOf, survey } from './survey.ts'
import { sweep } from './sweep.ts'
import { type Why, type WhyOptions, whyOf } from './why.ts'

/** What a collector works on: all of it belongs to one store. */
export interface CollectorParts {
  readonly database: Database
  readonly backend: ContentStore
  /** The one whose shared side the content stores of this database use. */
  readonly gate: Gate
  readonly collectibles: readonly Collectible[]
  readonly events?: Publisher | undefined
  readonly now?: (() => Date) | undefined
  /** Called before anything is planned or removed; throws when nothing may be. */
  readonly guard?: ((options: AbortOptions) => Promise<void>) | undefined
}

/** Options of `Collector.collect`. */
export interface CollectOptions extends AbortOptions {
  /** Told of each record, and of each file, that is gone for good. */
  readonly onRemoved?: ((item: RemovedItem) => void) | undefined
}

/** A record that was removed, or (without namespace) a file of the store beneath. */
export interface RemovedItem extends Pick<Node, 'kind' | 'key'> {
  readonly namespace?: string | undefined
  /** Bytes that came free. */
  readonly frees: number
}

/** What a collection did. */
export interface Collection {
  /** Records that were removed, by kind: `{image: 1, content: 7}`. */
  readonly records: Readonly<Record<string, number>>
  /** Blobs and ingests whose bytes were removed. */
  readonly blobs: number
  readonly ingests: number
  /** Bytes that came free. */
  readonly bytes: number
  /** Records that there were, all kinds together. */
  readonly scanned: number
  /** For how long those who write records, and those who open or commit blobs, were held up. */
  readonly pauses: PauseReport
  /** Milliseconds of each part of the work. */
  readonly durations: {
    /** All records read, and what the roots reach marked. */
    readonly mark: number
    /** The rest brought into the order of its removal. */
    readonly order: number
    readonly sweep: number
    readonly bytes: number
  }
}

/**
 * Removes what nothing keeps: see docs/gc.md.
 *
 * A run marks on a snapshot while all go on working, then removes records in short transactions that first mark what
 * was written meanwhile (`sweep` has the argument why that is safe), then bytes that no record names. Should it be
 * interrupted anywhere, the next run does the rest. Runs of one collector follow each other.
 */
export class Collector {
  readonly #parts: CollectorParts
  readonly #now: () => Date
  #last: Promise<unknown> = Promise.resolve()

  constructor(parts: CollectorParts) {
    this.#parts = parts
    this.#now = parts.now ?? (() => new Date())
  }

  /**
   * Collects all namespaces once.
   *
   * @throws DATA_LOSS  a record cannot be read, or some may be missing; nothing was removed, for they may keep others
   */
  collect(options: CollectOptions = {}): Promise<Collection> {
    const run = this.#last.then(() => {
      options.signal?.throwIfAborted()
      return this.#collect(options)
    })
    this.#last = run.catch(() => undefined)
    return run
  }

  /** What `collect` would remove now, and why; nothing is changed. @throws DATA_LOSS  as `collect` */
  async plan(options: AbortOptions = {}): Promise<Plan> {
    const { database, backend, collectibles } = this.#parts
    await this.#parts.guard?.(options)
    const files: Orphan[] = []
    for await (const file of orphansOf(backend, nothing, options)) files.push(file)
    return database.view(async view => {
      const found = await survey(view, collectibles, this.#now(), options)
      return planOf(view, files, found)
    })
  }

  /** What keeps a record. @throws NOT_FOUND  there is none; DATA_LOSS  as `collect` */
  why(node: Node, options: WhyOptions = {}): Promise<Why> {
    const { database, collectibles } = this.#parts
    const { signal } = options
    return database.view(async view =>
      whyOf(view, await survey(view, collectibles, this.#now(), { signal }), node, options),
    )
  }

  async #collect({ signal, onRemoved = () => undefined }: CollectOptions): Promise<Collection> {
    await this.#parts.guard?.({ signal })
    const pauses = new Pauses()
    // A store in memory never waits: collections in a loop would keep all others out.
    await new Pace({ signal }).rest()
    const collected = await this.#collectRecords(pauses, onRemoved, { signal })
    const swept = performance.now()
    const freed = { content: 0, ingest: 0, bytes: 0 }
    const onFreed = ({ kind, key, size }: Orphan): void => {
      freed[kind]++
      freed.bytes += size
      onRemoved({ kind, key, frees: size })
    }
    await removeOrphans({ ...this.#parts, pauses, onRemoved: onFreed }, { signal })
    const durations = { ...collected.durations, bytes: performance.now() - swept }
    const { content, ingest, bytes } = freed
    return { ...collected, blobs: content, ingests: ingest, bytes, pauses: pauses.report, durations }
  }

  async #collectRecords(pauses: Pauses, onRemoved: (item: RemovedItem) => void, options: AbortOptions) {
    const { database, collectibles, events } = this.#parts
    using journal = await database.journal()
    const start = performance.now()
    const { marker, nodes, groups, scanned, marked } = await database.view(async view => {
      const { marker, nodes, records, edges } = await survey(view, collectibles, this.#now(), options)
      const marked = performance.now()
      const garbage = garbageOf({ marker, records })
      const groups = await removalOrder(view, garbage, nodes.size, edges, options)
      return { marker, nodes, groups, scanned: records.count, marked }
    })
    const ordered = performance.now()
    const byKind = new Map(collectibles.map(one => [one.kind, one]))
    const tell = ({ kind, namespace, key }: Node): void => onRemoved({ kind, namespace, key, frees: 0 })
    const parts = { database, collectibles: byKind, journal, marker, nodes, events, pauses, onRemoved: tell }
    const counts = groups.count === 0 ? [] : await sweep(parts, groups, options)
    const durations = {
      mark: marked - start,
      order: ordered - marked,
      sweep: performance.now() - ordered,
    }
    return { records: Object.fromEntries(counts), scanned, durations }
  }
}

/** Names no bytes, so all that there is counts. */
const nothing = { hasBlob: () => false, hasIngest: () => false }
