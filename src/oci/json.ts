import { OrlopError } from '../errors.ts'

/** A JSON object as it was parsed: own keys only, values unknown. */
export type JsonObject = { readonly [key: string]: unknown }

/** Deeper documents are refused; image-spec's own need 6. */
const maxDepth = 1000

/**
 * JSON out of untrusted bytes, without room for two readings: UTF-8 only, no duplicate keys, no trailing data.
 *
 * @param what  names the document in errors
 * @throws INVALID_ARGUMENT  anything else
 */
export function parseJson(bytes: Uint8Array | string, what: string): unknown {
  const text = typeof bytes === 'string' ? bytes : decode(bytes, what)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new OrlopError('INVALID_ARGUMENT', `${what}: not JSON${looksLikeHtml(text) ? ' but HTML' : ''}`, {
      cause,
    })
  }
  checkKeys(text, what)
  return value
}

const decode = (bytes: Uint8Array, what: string): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new OrlopError('INVALID_ARGUMENT', `${what}: not UTF-8`, { cause })
  }
}

const looksLikeHtml = (text: string): boolean =>
  /^\s*<(!doctype|html|head|body|\?xml)/i.test(text.slice(0, 200))

/** Walks the structure of valid JSON; `JSON.parse` alone would let the last of two equal keys win. */
function checkKeys(text: string, what: string): void {
  // True for an object, false for an array.
  const open: boolean[] = []
  // One set a level, used again: documents hold many small objects.
  const keysAt: Array<Set<string>> = []
  let expectsKey = false
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x7b: // {
      case 0x5b: // [
        expectsKey = text[at] === '{'
        open.push(expectsKey)
        if (open.length > maxDepth) throw invalid(`${what}: nested deeper than ${maxDepth}`)
        if (expectsKey) keysAt[open.length]?.clear()
        break
      case 0x7d: // }
      case 0x5d: // ]
        open.pop()
        expectsKey = false
        break
      case 0x2c: // ,
        expectsKey = open.at(-1) === true
        break
      case 0x22: {
        const end = endOfString(text, at)
        if (expectsKey) {
          keysAt[open.length] ??= new Set()
          addKey(text.slice(at, end), keysAt[open.length], what)
        }
        expectsKey = false
        at = end - 1
      }
    }
  }
}

const addKey = (quoted: string, keys: Set<string> | undefined, what: string): void => {
  const key = quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1)
  if (keys?.has(key)) throw invalid(`${what}: key ${JSON.stringify(key.slice(0, 160))} appears twice`)
  keys?.add(key)
}

/** Behind the closing quote of the string that opens at `start`. */
const endOfString = (text: string, start: number): number => {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let first = quote
    while (text[first - 1] === '\\') first--
    if ((quote - first) % 2 === 0) return quote + 1
  }
  return text.length
}

const invalid = (message: string): OrlopError => new OrlopError('INVALID_ARGUMENT', message)

/** A name as Go's decoder compares names: without case, and with the two letters that fold into ASCII. */
const fold = (key: string): string => key.toUpperCase().toLowerCase()

/**
 * A check that no key of an object merely resembles one of `known`.
 *
 * Go's decoder takes `Digest` for `digest`, and the last of the two wins; JavaScript sees two keys. A document that has
 * one could be read in two ways.
 */
export function lookalikes(known: readonly string[]): (json: JsonObject, what: string) => void {
  const exact = new Set(known)
  const names = new Map(known.map(name => [fold(name), name]))
  return (json, what) => {
    for (const key of Object.keys(json)) {
      if (exact.has(key)) continue
      const name = names.get(fold(key))
      if (name !== undefined) throw invalid(`${what}: key ${JSON.stringify(key)} can be taken for "${name}"`)
    }
  }
}

// Readers of checked values. Each throws INVALID_ARGUMENT and names the place, `what.key`.

/** True for a JSON object; an array and null are none. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** An object, or INVALID_ARGUMENT. */
export function asObject(value: unknown, what: string): JsonObject {
  if (!isObject(value)) throw wrong(what, 'an object', value)
  return value
}

/** A string, or INVALID_ARGUMENT. */
export function asString(value: unknown, what: string): string {
  if (typeof value !== 'string') throw wrong(what, 'a string', value)
  return value
}

/** A whole number from 0 to 2^53-1, or INVALID_ARGUMENT. */
export function asSize(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw wrong(what, 'a whole number, not negative', value)
  }
  return value + 0 // -0 is 0
}

/** An array whose items pass `item`, frozen; or INVALID_ARGUMENT. */
export function asArray<T>(
  value: unknown,
  what: string,
  item: (value: unknown, what: string) => T,
): readonly T[] {
  if (!Array.isArray(value)) throw wrong(what, 'an array', value)
  return Object.freeze(value.map((entry, at) => item(entry, `${what}[${at}]`)))
}

/** An object of strings, frozen; or INVALID_ARGUMENT. */
export function asStringMap(value: unknown, what: string): Readonly<Record<string, string>> {
  const object = asObject(value, what)
  for (const [key, text] of Object.entries(object)) {
    if (typeof text !== 'string') throw wrong(`${what}.${key}`, 'a string', text)
  }
  // All of them are, as was just seen; copied in one go, for records are read by the hundred thousand.
  return Object.freeze({ ...(object as Record<string, string>) })
}

/** `read` for a value that may be absent; absent and null are `undefined`, as Go's decoder has them. */
export const optional = <T>(
  value: unknown,
  what: string,
  read: (value: unknown, what: string) => T,
): T | undefined => (value === undefined || value === null ? undefined : read(value, what))

const wrong = (what: string, expected: string, value: unknown): OrlopError =>
  new OrlopError('INVALID_ARGUMENT', `${what}: expected ${expected}, got ${kindOf(value)}`)

const kindOf = (value: unknown): string => {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : JSON.stringify(value).slice(0, 80)
}
