import { OrlopError } from '../errors.ts'

/** A value as the engines keep it. @throws INVALID_ARGUMENT  it is not JSON */
export function toJson(key: string, value: unknown): string {
  const json: string | undefined = JSON.stringify(value)
  if (json === undefined) {
    throw new OrlopError('INVALID_ARGUMENT', `metadata: the value for ${key} is not JSON`)
  }
  return json
}

/** A value as `toJson` wrote it. @throws DATA_LOSS  it is not JSON; the text has the key */
export function fromJson(key: string, json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new OrlopError('DATA_LOSS', `metadata: the record ${key} cannot be read: not JSON`, { cause })
  }
}
