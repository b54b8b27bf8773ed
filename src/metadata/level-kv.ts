import fs from 'node:fs/promises'
import { Level } from 'level'
import { fromErrno, OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import { fromJson, toJson } from './json-value.ts'
import type { Entry, KeyValue, Op, RangeOptions, View } from './kv.ts'
import { fromLevel } from './level-errors.ts'
import { refuseIncomplete } from './level-files.ts'
import { reportDamage } from './level-log.ts'
import { tablesIn } from './level-tables.ts'
import { freshness, verifyStale } from './level-verified.ts'

/** Entries that are fetched in one go: fewer turns of the event loop, and no more memory than a page of records. */
const page = 512

/** `sync` reaches LevelDB, but is missing in the types of `level`. */
const synced = { keyEncoding: 'utf8', valueEncoding: 'utf8', sync: true } as const

/**
 * Opens, or makes, the LevelDB database in a directory; its parent must exist.
 *
 * LevelDB admits one process at a time, and one opener in it. Damage that it passes over is told on the channel
 * `orlop:metadata` of `node:diagnostics_channel`: see `DamageReport`.
 *
 * @throws UNAVAILABLE  another process holds it
 * @throws DATA_LOSS  its files are damaged: the checksums of tables are looked at, once a day
 * @throws NOT_FOUND, FAILED_PRECONDITION, PERMISSION_DENIED, RESOURCE_EXHAUSTED  the directory cannot be used
 */
export async function openLevel(directory: string): Promise<KeyValue> {
  await makeDirectory(directory)
  await refuseIncomplete(directory)
  const tables = await tablesIn(directory)
  const level = new Level<string, string>(directory, { keyEncoding: 'utf8', valueEncoding: 'utf8' })
  try {
    await level.open()
  } catch (error) {
    throw fromLevel(error, directory)
  }
  try {
    await verifyStale(directory, freshness.opening, { names: tables })
    await reportDamage(directory)
  } catch (error) {
    await level.close()
    throw error
  }
  return new LevelKeyValue(level, directory)
}

/** Private to its owner, as all under a root is. */
async function makeDirectory(directory: string): Promise<void> {
  const what = `metadata: the directory ${directory}`
  try {
    await fs.mkdir(directory, { mode: 0o700 })
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST')
      throw fromErrno(error, what)
    const stats = await fs.stat(directory).catch((cause: unknown) => {
      throw fromErrno(cause, what)
    })
    if (!stats.isDirectory()) {
      throw new OrlopError('FAILED_PRECONDITION', `${what}: there is a file of that name`, { cause: error })
    }
  }
}

/** Records on LevelDB: snapshots are its own, a commit is one synced batch. */
class LevelKeyValue implements KeyValue {
  readonly #level: Level<string, string>
  readonly #directory: string

  constructor(level: Level<string, string>, directory: string) {
    this.#level = level
    this.#directory = directory
  }

  snapshot(): View & AsyncDisposable {
    const snapshot = this.#snapshot()
    return {
      get: (key, options) => this.#get(snapshot, key, options),
      range: (prefix, options) => this.#range(snapshot, prefix, options),
      [Symbol.asyncDispose]: () => snapshot.close(),
    }
  }

  async commit(ops: readonly Op[]): Promise<void> {
    const batch = ops.map(op =>
      op.type === 'put'
        ? { type: op.type, key: op.key, value: toJson(op.key, op.value) }
        : { type: 'del' as const, key: op.key },
    )
    try {
      await this.#level.batch(batch, synced)
    } catch (error) {
      throw fromLevel(error, this.#directory)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#level.close()
  }

  #snapshot(): Snapshot {
    try {
      return this.#level.snapshot()
    } catch (error) {
      throw fromLevel(error, this.#directory)
    }
  }

  async #get(snapshot: Snapshot, key: string, { signal }: AbortOptions = {}): Promise<unknown> {
    signal?.throwIfAborted()
    let json: string | undefined
    try {
      // Ten times faster than a trip through the thread pool; records are small and nearly always cached.
      json = this.#level.getSync(key, { snapshot })
    } catch (error) {
      throw fromLevel(error, this.#directory)
    }
    return json === undefined ? undefined : fromJson(key, json)
  }

  #range(snapshot: Snapshot, prefix: string, options: RangeOptions = {}): AsyncIterable<Entry> {
    const { after, limit = -1, raw = false, signal } = options
    const range = {
      ...(after === undefined || after < prefix ? { gte: prefix } : { gt: after }),
      // Above all keys of the prefix, for those are ASCII.
      lt: `${prefix}\uffff`,
      limit: Number.isFinite(limit) ? limit : -1,
      snapshot,
    }
    const open = (): Pages => this.#level.iterator(range)
    const [directory, read] = [this.#directory, raw ? (_: string, json: string) => json : fromJson]
    return { [Symbol.asyncIterator]: () => new LevelRange({ open, read, directory, signal }) }
  }
}

type Snapshot = ReturnType<Level['snapshot']>

/** What is used of an iterator of `level`. */
interface Pages {
  nextv(size: number): Promise<readonly (readonly [string, string])[]>
  close(): Promise<void>
}

interface LevelRangeParts {
  readonly open: () => Pages
  readonly read: (key: string, json: string) => unknown
  readonly directory: string
  readonly signal: AbortSignal | undefined
}

/** Entries page by page. No generator, which takes several times as long for each of a hundred thousand entries. */
class LevelRange implements AsyncIterator<Entry> {
  readonly #parts: LevelRangeParts
  #iterator: Pages | undefined
  #entries: readonly (readonly [string, string])[] = []
  #at = 0
  #isDone = false

  constructor(parts: LevelRangeParts) {
    this.#parts = parts
  }

  async next(): Promise<IteratorResult<Entry, undefined>> {
    try {
      this.#parts.signal?.throwIfAborted()
      if (this.#at === this.#entries.length && !this.#isDone) await this.#turnPage()
      const entry = this.#entries[this.#at++]
      if (entry === undefined) return await this.return()
      const [key, json] = entry
      return { done: false, value: { key, value: this.#parts.read(key, json) } }
    } catch (error) {
      await this.return()
      throw fromLevel(error, this.#parts.directory)
    }
  }

  async #turnPage(): Promise<void> {
    this.#iterator ??= this.#parts.open()
    this.#entries = await this.#iterator.nextv(page)
    this.#at = 0
  }

  async return(): Promise<IteratorResult<Entry, undefined>> {
    const iterator = this.#iterator
    this.#iterator = undefined
    this.#entries = []
    this.#at = 0
    this.#isDone = true
    await iterator?.close()
    return { done: true, value: undefined }
  }
}
