import { OrlopError } from '../../errors.ts'

/**
 * A document of YAML as JSON values; the parser is loaded here. Duplicate keys are refused, and so are aliases that unfold
 * into much more than was written.
 *
 * @param what  names the document in errors
 * @throws INVALID_ARGUMENT  not YAML, or several documents
 */
export async function parseYaml(text: string, what: string): Promise<unknown> {
  const { parse } = await import('yaml')
  try {
    return parse(text, { maxAliasCount: 100, logLevel: 'error' }) as unknown
  } catch (cause) {
    const [why = ''] = cause instanceof Error ? cause.message.split('\n') : [String(cause)]
    throw new OrlopError('INVALID_ARGUMENT', `${what}: ${why}`, { cause })
  }
}
