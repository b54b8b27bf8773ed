import type { Labels } from '../content/types.ts'
import { isOrlopError, OrlopError } from '../errors.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { asObject, asSize, asString, asStringMap, type JsonObject, optional } from '../oci/json.ts'

/** A blob as one namespace knows it; its key has the digest. */
export interface BlobRecord {
  /** Bytes, ≥ 0. */
  readonly size: number
  readonly labels: Labels
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** That a blob is a layer without its compression; its key has both digests. */
export interface DiffIdRecord {
  /** Bytes without compression. */
  readonly size: number
}

/** An ingest as one namespace knows it; its key has the ref that the client uses. */
export interface IngestRecord {
  /** The ref under which the store beneath keeps the bytes. */
  readonly backendRef: string
  readonly startedAt: Date
  /** From then on it may be collected; absent: only a lease holds it. */
  readonly expiresAt?: Date
  /** The digest that there will be. */
  readonly expected?: Digest
  /** Bytes there will be. */
  readonly total?: number
  /** True: the bytes are there already, in a blob of another namespace, and nothing was opened beneath. */
  readonly shared?: boolean
}

/** A lease; its key has the id. */
export interface LeaseRecord {
  readonly labels: Labels
  readonly createdAt: Date
}

/** A namespace; its key has the name. */
export interface NamespaceRecord {
  readonly labels: Labels
}

/**
 * A value of the database as a record.
 *
 * @param read  the parser; what it refuses is data that was damaged, for only checked records are written
 * @throws DATA_LOSS  the record cannot be read; the text has its key, the cause says why
 */
export function decode<T>(key: string, value: unknown, read: (value: unknown, what: string) => T): T {
  try {
    return read(value, 'record')
  } catch (cause) {
    if (!isOrlopError(cause)) throw cause
    throw new OrlopError('DATA_LOSS', `metadata: the record ${key} cannot be read: ${cause.message}`, {
      cause,
    })
  }
}

/** A blob's record, for `decode`. */
export function readBlobRecord(value: unknown, what: string): BlobRecord {
  const json = asObject(value, what)
  return Object.freeze({
    size: asSize(json.size, `${what}.size`),
    labels: asStringMap(json.labels, `${what}.labels`),
    ...readDates(json, what),
  })
}

/** The record of a diff id, for `decode`. */
export const readDiffIdRecord = (value: unknown, what: string): DiffIdRecord =>
  Object.freeze({ size: asSize(asObject(value, what).size, `${what}.size`) })

/** An ingest's record, for `decode`. */
export function readIngestRecord(value: unknown, what: string): IngestRecord {
  const json = asObject(value, what)
  const expiresAt = optional(json.expiresAt, `${what}.expiresAt`, readDate)
  const expected = optional(json.expected, `${what}.expected`, readDigest)
  const total = optional(json.total, `${what}.total`, asSize)
  return Object.freeze({
    backendRef: asString(json.backendRef, `${what}.backendRef`),
    startedAt: readDate(json.startedAt, `${what}.startedAt`),
    ...(expiresAt && { expiresAt }),
    ...(expected && { expected }),
    ...(total !== undefined && { total }),
    ...(json.shared === true && { shared: true }),
  })
}

/** A lease's record, for `decode`. */
export function readLeaseRecord(value: unknown, what: string): LeaseRecord {
  const json = asObject(value, what)
  return Object.freeze({
    labels: asStringMap(json.labels, `${what}.labels`),
    createdAt: readDate(json.createdAt, `${what}.createdAt`),
  })
}

/** A namespace's record, for `decode`. */
export const readNamespaceRecord = (value: unknown, what: string): NamespaceRecord =>
  Object.freeze({ labels: asStringMap(asObject(value, what).labels, `${what}.labels`) })

/** A record as JSON: dates become ISO 8601 in UTC with milliseconds, absent fields stay absent. */
export const encode = (record: object): JsonObject =>
  Object.fromEntries(
    Object.entries(record)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, value instanceof Date ? value.toISOString() : value]),
  )

/** `createdAt` and `updatedAt` of a record. */
export const readDates = (
  json: JsonObject,
  what: string,
): { readonly createdAt: Date; readonly updatedAt: Date } => ({
  createdAt: readDate(json.createdAt, `${what}.createdAt`),
  updatedAt: readDate(json.updatedAt, `${what}.updatedAt`),
})

/** A date as `encode` writes it, or INVALID_ARGUMENT. */
export function readDate(value: unknown, what: string): Date {
  const text = asString(value, what)
  const date = new Date(text)
  if (Number.isNaN(date.getTime())) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${what}: expected a date, got ${JSON.stringify(text.slice(0, 80))}`,
    )
  }
  return date
}

const readDigest = (value: unknown, what: string): Digest => parseDigest(asString(value, what))
