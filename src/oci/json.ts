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

/** Walks the tokens of valid JSON; `JSON.parse` alone would let the last of two equal keys win. */
function checkKeys(text: string, what: string): void {
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g
  const open: Array<Set<string> | undefined> = []
  let expectsKey = false
  for (let found = tokens.exec(text); found !== null; found = tokens.exec(text)) {
    const token = found[0]
    if (token === '{' || token === '[') {
      open.push(token === '{' ? new Set() : undefined)
      if (open.length > maxDepth)
        throw new OrlopError('INVALID_ARGUMENT', `${what}: nested deeper than ${maxDepth}`)
      expectsKey = token === '{'
    } else if (token === '}' || token === ']') {
      open.pop()
      expectsKey = false
    } else if (token === ',') {
      expectsKey = open.at(-1) !== undefined
    } else if (token !== ':' && expectsKey) {
      const keys = open.at(-1)
      const key: unknown = JSON.parse(token)
      if (typeof key === 'string' && keys?.has(key)) {
        throw new OrlopError('INVALID_ARGUMENT', `${what}: key ${JSON.stringify(key)} appears twice`)
      }
      keys?.add(String(key))
      expectsKey = false
    }
  }
}

/** Readers of checked values. Each throws INVALID_ARGUMENT and names the place, `what.key`. */
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
  return value
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
  const entries = Object.entries(asObject(value, what))
  return Object.freeze(
    Object.fromEntries(entries.map(([key, text]) => [key, asString(text, `${what}.${key}`)])),
  )
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
