import { OrlopError } from '../errors.ts'
import { asObject, asSize, asString, type JsonObject } from '../oci/json.ts'
import { decode } from './codec.ts'
import { Database } from './database.ts'
import type { KeyValue } from './kv.ts'
import { versionKey } from './schema.ts'
import type { Transaction } from './transaction.ts'

/** One step from a schema to the next. */
export interface Migration {
  /** The schema it makes; it is given the one before. */
  readonly to: number
  /** The first release that knows this schema: `0.1`. */
  readonly release: string
  /** Changes the records; absent for the first schema, which has none yet. */
  readonly run?: (tx: Transaction) => Promise<void>
}

/** Every schema there was, oldest first; docs/schema.md describes the last. */
const ours: readonly Migration[] = [{ to: 1, release: '0.1' }]

/** Options of `openDatabase`. */
export interface OpenDatabaseOptions {
  /** The schemas known, oldest first; default: this release's. */
  readonly migrations?: readonly Migration[] | undefined
}

/**
 * A database on an engine, of the schema that this release knows.
 *
 * A new one is stamped; an older one is upgraded, all in one commit or not at all. The engine is closed with the database,
 * and also when this fails.
 *
 * @throws FAILED_PRECONDITION  a newer release wrote it, which the text names; or it was not written by orlop
 * @throws DATA_LOSS  the record of the version cannot be read
 */
export async function openDatabase(kv: KeyValue, options: OpenDatabaseOptions = {}): Promise<Database> {
  const { migrations = ours } = options
  const db = new Database(kv)
  try {
    await db.update(tx => upgrade(tx, migrations))
    return db
  } catch (error) {
    // What went wrong first is what matters.
    await db.close().catch(() => undefined)
    throw error
  }
}

async function upgrade(tx: Transaction, migrations: readonly Migration[]): Promise<void> {
  const last = migrations.at(-1)
  if (last === undefined) throw new OrlopError('INVALID_ARGUMENT', 'metadata: no schema is known')
  const found = await readVersion(tx)
  if (found !== undefined && found.schema > last.to) {
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `metadata: the database has schema ${found.schema}, this release knows up to ${last.to}; use orlop ${found.release} or newer`,
    )
  }
  if (found === undefined) await requireEmpty(tx)
  else for (const { to, run } of migrations) if (to > found.schema) await run?.(tx)
  if (found?.schema !== last.to) tx.put(versionKey, { schema: last.to, release: last.release })
}

const readVersion = async (tx: Transaction) => {
  const value = await tx.get(versionKey)
  return value === undefined ? undefined : decode(versionKey, value, readVersionRecord)
}

const readVersionRecord = (value: unknown, what: string) => {
  const json: JsonObject = asObject(value, what)
  return {
    schema: asSize(json.schema, `${what}.schema`),
    release: asString(json.release, `${what}.release`),
  }
}

/** Another program's database may be at that place; nothing of it is touched. */
async function requireEmpty(tx: Transaction): Promise<void> {
  for await (const { key } of tx.range('', { limit: 1 })) {
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `metadata: the database has records (${key}) but no version, so orlop did not write it; use another root`,
    )
  }
}
