import { OrlopError } from '../../errors.ts'
import { asArray, asObject, asString, optional } from '../../oci/json.ts'

/** Checks a value out of JSON; throws INVALID_ARGUMENT and names the place, `what`. */
export type Reader<T> = (value: unknown, what: string) => T

/** Readers of the fields of an object. */
export type FieldReaders<T> = { readonly [K in keyof T]-?: Reader<T[K]> }

/** An object with these fields, in the order in which they came; others are passed over: a newer orlop may have more. */
export function record<T>(fields: FieldReaders<T>): Reader<T> {
  const readers = new Map<string, Reader<unknown>>(Object.entries(fields))
  return (value, what) => {
    const json = asObject(value, what)
    const known: Record<string, unknown> = {}
    for (const key of new Set([...Object.keys(json).filter(name => readers.has(name)), ...readers.keys()])) {
      const field = readers.get(key)?.(Object.hasOwn(json, key) ? json[key] : undefined, `${what}.${key}`)
      if (field !== undefined) known[key] = field
    }
    return known as T // each field went through its reader
  }
}

/**
 * A field that may be absent; absent and null are the same.
 *
 * The type leaves `undefined` out, for `record` leaves out the field then.
 */
export const maybe =
  <T>(read: Reader<T>): Reader<T> =>
  (value, what) =>
    optional(value, what, read) as T

/** An array of such items. */
export const list =
  <T>(item: Reader<T>): Reader<readonly T[]> =>
  (value, what) =>
    asArray(value, what, item)

/** An object of values that are all of one kind. */
export const mapOf =
  <T>(item: Reader<T>): Reader<Readonly<Record<string, T>>> =>
  (value, what) =>
    Object.fromEntries(
      Object.entries(asObject(value, what)).map(([key, field]) => [key, item(field, `${what}.${key}`)]),
    )

/** One of these texts. */
export const oneOf =
  <T extends string>(...texts: readonly T[]): Reader<T> =>
  (value, what) => {
    const found = texts.find(text => text === value)
    if (found === undefined) throw expected(what, texts.join(', '))
    return found
  }

/** True or false. */
export const bool: Reader<boolean> = (value, what) => {
  if (typeof value !== 'boolean') throw expected(what, 'true or false')
  return value
}

/** A number. */
export const number: Reader<number> = (value, what) => {
  if (typeof value !== 'number') throw expected(what, 'a number')
  return value
}

/** A date as `JSON.stringify` writes it. */
export const date: Reader<Date> = (value, what) => {
  const read = new Date(asString(value, what))
  if (Number.isNaN(read.getTime())) throw expected(what, 'a date')
  return read
}

const expected = (what: string, kind: string): OrlopError =>
  new OrlopError('INVALID_ARGUMENT', `${what}: expected ${kind}`)
