import { isOrlopError } from '../errors.ts'
import { childLabels } from '../handlers/gc-labels.ts'
import { encode } from '../metadata/codec.ts'
import { fromJson } from '../metadata/json-value.ts'
import {
  kindPrefix,
  leaseKey,
  leaseResourceKey,
  namespaceKey,
  type ParsedKey,
  parseKey,
} from '../metadata/schema.ts'
import type { Transaction } from '../metadata/transaction.ts'
import { descriptorToJson, readDescriptor } from '../oci/descriptor.ts'
import { isObject, type JsonObject } from '../oci/json.ts'
import type { AbortOptions } from '../options.ts'
import { readFile } from './files.ts'
import { Records } from './records.ts'
import type { Outcome, RepairParts } from './repair-blob.ts'
import type { FsckParts } from './types.ts'

/**
 * Copies a record that cannot be read into quarantine, then writes what can be known of it anew, or removes it.
 *
 * A blob is known from its file, an image from its target, a lease by its id; labels and dates that can be read stay.
 */
export async function repairRecord(parts: RepairParts, key: string, options: AbortOptions): Promise<Outcome> {
  const bad = await parts.database.view(async view => {
    const records = new Records()
    for await (const entry of view.range(key, { raw: true, limit: 1, ...options })) {
      if (entry.key === key) records.add(key, String(entry.value))
    }
    return records.unreadable[0]
  })
  if (bad === undefined) return { outcome: 'left', detail: 'it can be read by now' }
  const kept = await parts.quarantine.keepRecords([bad])
  const parsed = parseKey(key)
  const anew = parsed && (await salvage(parts, parsed, jsonOf(key, bad.raw), options))
  const held = await parts.database.update(async tx => {
    if (anew !== undefined) tx.put(key, typeof anew === 'function' ? await anew(tx) : anew)
    else {
      tx.delete(key)
      if (parsed?.kind === 'image') return hold(tx, parsed.namespace, parts.now())
    }
    return ''
  })
  const what = anew === undefined ? 'removed' : 'written anew from what can be known'
  return { outcome: 'repaired', detail: `${what}; as it was it is in ${kept}${held}` }
}

/** Keeps every blob of a namespace: what an image pointed at is not known, and must not be collected for that. */
async function hold(tx: Transaction, namespace: string, now: Date): Promise<string> {
  const lease = `repaired-${now.toISOString().replaceAll(/[:.]/g, '-')}`
  let count = 0
  for await (const { key } of tx.range(kindPrefix(namespace, 'content'), { raw: true })) {
    const parsed = parseKey(key)
    if (parsed?.kind !== 'content') continue
    tx.put(leaseResourceKey(namespace, lease, { type: 'content', id: parsed.digest }), {})
    count++
  }
  if (count === 0) return ''
  tx.put(leaseKey(namespace, lease), encode({ labels: {}, createdAt: now }))
  return `; lease ${lease} keeps the namespace's ${count} blobs until "orlop leases delete ${lease}"`
}

const jsonOf = (key: string, raw: string): JsonObject => {
  try {
    const value = fromJson(key, raw)
    return isObject(value) ? value : {}
  } catch (error) {
    if (isOrlopError(error)) return {}
    throw error
  }
}

type Anew = JsonObject | ((tx: Transaction) => Promise<number>)

async function salvage(
  parts: FsckParts,
  parsed: ParsedKey,
  json: JsonObject,
  options: AbortOptions,
): Promise<Anew | undefined> {
  const labels = stringsOf(json.labels)
  const dates = {
    createdAt: dateOf(json.createdAt, parts.now()),
    updatedAt: dateOf(json.updatedAt, parts.now()),
  }
  switch (parsed.kind) {
    case 'namespace':
      return { labels }
    case 'lease-resource':
      return {}
    case 'lease':
      return encode({ labels, createdAt: dates.createdAt })
    case 'sequence':
      return tx => highestNumber(tx, parsed.namespace)
    case 'content': {
      const found = await readFile(parts.layout, parsed.digest, options)
      const file = typeof found === 'object' && found.actual === parsed.digest ? found : undefined
      // Without right bytes it is still known that there was a blob, and the next check tells that it is missing.
      const size = file?.size ?? json.size
      if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined
      const tied = { ...(file?.document && childLabels(file.document.children)), ...labels }
      return encode({ size, labels: tied, ...dates })
    }
    case 'image': {
      const target = targetOf(json.target)
      return target && encode({ target, labels, ...dates })
    }
    default:
      return undefined
  }
}

const stringsOf = (value: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(isObject(value) ? value : {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== '',
    ),
  )

const dateOf = (value: unknown, now: Date): Date => {
  const date = new Date(typeof value === 'string' ? value : Number.NaN)
  return Number.isNaN(date.getTime()) ? now : date
}

const targetOf = (value: unknown): JsonObject | undefined => {
  try {
    return descriptorToJson(readDescriptor(value, 'target'))
  } catch (error) {
    if (isOrlopError(error)) return undefined
    throw error
  }
}

/** The highest number that an ingest of the namespace has: no two may get the same. */
async function highestNumber(tx: Transaction, namespace: string): Promise<number> {
  let highest = 0
  const records = new Records()
  for await (const { key, value } of tx.range(kindPrefix(namespace, 'ingest'), { raw: true })) {
    records.add(key, String(value))
  }
  for (const { record } of records.ingests) highest = Math.max(highest, numberOf(record.backendRef))
  return highest
}

/** The number in `<namespace>/<number>/<ref>`; 0 when there is none. */
export const numberOf = (backendRef: string): number => {
  const number = Number(/^[^/]+\/(\d{1,15})\//.exec(backendRef)?.[1])
  return Number.isSafeInteger(number) ? number : 0
}

/** Writes the record of a namespace that has records and none of its own. */
export async function listNamespace({ database }: FsckParts, namespace: string): Promise<Outcome> {
  await database.update(async tx => {
    if ((await tx.get(namespaceKey(namespace))) === undefined) tx.put(namespaceKey(namespace), { labels: {} })
  })
  return { outcome: 'repaired', detail: 'the namespace is listed again' }
}
