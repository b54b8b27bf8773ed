import { hasCode, isOrlopError, OrlopError } from '../../errors.ts'
import type { JsonObject } from '../../oci/json.ts'

/** The parser is loaded here, when there is first something to parse. */
async function parse(text: string): Promise<JsonObject> {
  const { parse } = await import('smol-toml')
  return parse(text)
}

/**
 * What `read` makes of a TOML document: its tables are objects whose keys are in the order of the file.
 *
 * @param file  names the document in errors, which quote nothing of it: it may hold secrets
 * @throws FAILED_PRECONDITION  not TOML, or what `read` calls INVALID_ARGUMENT
 */
export async function readToml<T>(text: string, file: string, read: (table: JsonObject) => T): Promise<T> {
  let table: JsonObject
  try {
    table = await parse(text)
  } catch (error) {
    throw new OrlopError('FAILED_PRECONDITION', `${file}${placeOf(error)}: ${reasonOf(error)}`)
  }
  try {
    return read(table)
  } catch (error) {
    if (!isOrlopError(error) || !hasCode(error, 'INVALID_ARGUMENT')) throw error
    throw new OrlopError('FAILED_PRECONDITION', `${file}: ${error.message}`, { cause: error })
  }
}

const placeOf = (error: unknown): string =>
  error instanceof Error && 'line' in error && 'column' in error ? `:${error.line}:${error.column}` : ''

/** The parser's error goes on with the lines in question, after its first. */
const reasonOf = (error: unknown): string => {
  const [first = ''] = error instanceof Error ? error.message.split('\n', 1) : []
  return first.replace(/^Invalid TOML document: /, 'not TOML: ')
}
