import { OrlopError } from '../errors.ts'
import { asObject, asString, type JsonObject } from '../oci/json.ts'

/** An error that says what is wrong with a document. */
export const invalid = (what: string, why: string): OrlopError =>
  new OrlopError('INVALID_ARGUMENT', `${what}: ${why}`)

/**
 * An object that has all of `required` and nothing but them and `optional`: a typing error in a policy must not make it
 * weaker, and a signed payload must have one reading. Duplicate keys are refused by `parseJson`.
 *
 * @throws INVALID_ARGUMENT  anything else
 */
export function exactObject(
  value: unknown,
  what: string,
  required: readonly string[],
  optional: readonly string[] = [],
): JsonObject {
  const json = asObject(value, what)
  for (const key of Object.keys(json)) {
    if (!required.includes(key) && !optional.includes(key))
      throw invalid(what, `unknown key ${JSON.stringify(key.slice(0, 100))}`)
  }
  for (const key of required) if (!Object.hasOwn(json, key)) throw invalid(what, `"${key}" is missing`)
  return json
}

/**
 * Bytes out of base64 as RFC 4648 writes it, padded; line breaks are passed over, as Go does.
 *
 * @throws INVALID_ARGUMENT  anything else, several spellings of the same bytes too
 */
export function asBase64(value: unknown, what: string): Uint8Array {
  const text = asString(value, what).replaceAll(/[\r\n]/g, '')
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw invalid(what, 'not base64')
  return bytes
}
