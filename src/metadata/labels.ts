import { OrlopError } from '../errors.ts'

/** A label's key and value together, in bytes of UTF-8. */
export const maxLabelSize = 4096

const maxIdentifierLength = 76

/**
 * Refuses labels that are too long.
 *
 * @param what  names the object in errors
 * @throws INVALID_ARGUMENT  key and value of one are over 4096 bytes together
 * @see containerd pkg/labels, Validate
 */
export function checkLabels(what: string, labels: Readonly<Record<string, string | null>>): void {
  for (const [key, value] of Object.entries(labels)) {
    const size = Buffer.byteLength(key) + Buffer.byteLength(value ?? '')
    if (size <= maxLabelSize) continue
    const shown = key.length > 64 ? `${key.slice(0, 64)}…` : key
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${what}: label ${shown}: key and value have ${size} bytes, more than the ${maxLabelSize} allowed`,
    )
  }
}

/**
 * Refuses what is not an identifier: letters and digits, with single `.`, `_` or `-` between them, up to 76.
 *
 * @param what  names the thing in errors: `namespace`
 * @returns the text
 * @throws INVALID_ARGUMENT  empty, longer, or other characters
 * @see containerd pkg/identifiers
 */
export function checkIdentifier(what: string, text: string): string {
  const refuse = (why: string): never => {
    throw new OrlopError('INVALID_ARGUMENT', `${what} ${JSON.stringify(text.slice(0, 160))}: ${why}`)
  }
  if (text === '') refuse('must not be empty')
  if (text.length > maxIdentifierLength)
    refuse(`${text.length} characters, more than the ${maxIdentifierLength} allowed`)
  if (!/^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/.test(text)) {
    refuse('must be letters and digits, with single ".", "_" or "-" between them')
  }
  return text
}

/**
 * Refuses a missing or malformed namespace.
 *
 * @throws FAILED_PRECONDITION  none was given
 * @throws INVALID_ARGUMENT  not an identifier
 * @see containerd pkg/namespaces, NamespaceRequired
 */
export function checkNamespace(namespace: string): string {
  if (namespace === '') throw new OrlopError('FAILED_PRECONDITION', 'namespace is required')
  return checkIdentifier('namespace', namespace)
}
