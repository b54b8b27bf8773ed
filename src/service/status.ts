import { type ErrorCode, isOrlopError, OrlopError } from '../errors.ts'

/** How a call ended, as gRPC tells it. */
export interface Status {
  readonly code: number
  readonly message: string
  /** The text as ours have it, which another orlop shows instead; it travels in a trailer. */
  readonly original?: string | undefined
}

/** The trailer of `original`; binary, for any text. */
export const originalTrailer = 'orlop-message-bin'

const numbers = {
  CANCELED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const satisfies Record<ErrorCode, number>

/** How containerd names the kinds; its errors end in these words, and its clients take them off. */
const kinds: Readonly<Record<ErrorCode, string>> = {
  CANCELED: 'context canceled',
  UNKNOWN: 'unknown',
  INVALID_ARGUMENT: 'invalid argument',
  DEADLINE_EXCEEDED: 'context deadline exceeded',
  NOT_FOUND: 'not found',
  ALREADY_EXISTS: 'already exists',
  PERMISSION_DENIED: 'permission denied',
  RESOURCE_EXHAUSTED: 'resource exhausted',
  FAILED_PRECONDITION: 'failed precondition',
  ABORTED: 'aborted',
  OUT_OF_RANGE: 'out of range',
  UNIMPLEMENTED: 'not implemented',
  INTERNAL: 'internal',
  UNAVAILABLE: 'unavailable',
  DATA_LOSS: 'data loss',
  UNAUTHENTICATED: 'unauthenticated',
}

const codes: ReadonlyMap<number, ErrorCode> = new Map(
  Object.entries(numbers).map(([code, number]) => [number, code as ErrorCode]), // the keys are those of `numbers`
)

/** The code of a name; UNKNOWN for what is none. */
export const codeNamed = (name: string): ErrorCode =>
  [...codes.values()].find(code => code === name) ?? 'UNKNOWN'

/** A text travels in a header, of which peers take some kilobytes. */
const maxText = 2048

/**
 * An error as a status: ours with their text, which ends in containerd's word for the kind; an abort as CANCELED.
 *
 * A stranger's text may hold secrets, so it becomes "unknown error".
 */
export function toStatus(error: unknown): Status {
  if (isOrlopError(error)) {
    const original = wellFormed(error.message)
    const kind = kinds[error.code]
    return { code: numbers[error.code], message: `${withoutKind(original)}: ${kind}`, original }
  }
  const name = error instanceof Error ? error.name : ''
  if (name === 'AbortError') return { code: numbers.CANCELED, message: kinds.CANCELED }
  if (name === 'TimeoutError') return { code: numbers.DEADLINE_EXCEEDED, message: kinds.DEADLINE_EXCEEDED }
  return { code: numbers.UNKNOWN, message: 'unknown error' }
}

/** A text that says its kind in the end, as `lease "a" does not exist`, would say it twice. */
const withoutKind = (text: string): string =>
  text.replace(/:? (?:already exists|does not exist|not found)$/, '')

/** Short enough for a header, and without halves of characters, which cannot be escaped. */
const wellFormed = (text: string): string =>
  (text.length > maxText ? `${text.slice(0, maxText)}…` : text).replace(/\p{Surrogate}/gu, '\ufffd')

/** A status as one of our errors; a number that is no code, or OK where an answer is missing, is UNKNOWN. */
export function fromStatus({ code, message, original }: Status, options: ErrorOptions = {}): OrlopError {
  const ours = codes.get(code) ?? 'UNKNOWN'
  return new OrlopError(ours, original ?? (message || kinds[ours]), options)
}
