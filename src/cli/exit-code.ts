import { type ErrorCode, isOrlopError } from '../errors.ts'

/** The exit codes of `orlop`, documented in docs/errors.md; scripts may rely on them. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  invalid: 2,
  notFound: 3,
  incomplete: 4,
  corrupt: 5,
  denied: 6,
  unavailable: 7,
  exhausted: 8,
  exists: 9,
  interrupted: 130,
  terminated: 143,
} as const

const byCode: Readonly<Record<ErrorCode, number>> = {
  CANCELED: exitCodes.failure,
  UNKNOWN: exitCodes.failure,
  INVALID_ARGUMENT: exitCodes.invalid,
  DEADLINE_EXCEEDED: exitCodes.unavailable,
  NOT_FOUND: exitCodes.notFound,
  ALREADY_EXISTS: exitCodes.exists,
  PERMISSION_DENIED: exitCodes.denied,
  RESOURCE_EXHAUSTED: exitCodes.exhausted,
  FAILED_PRECONDITION: exitCodes.failure,
  ABORTED: exitCodes.failure,
  OUT_OF_RANGE: exitCodes.invalid,
  UNIMPLEMENTED: exitCodes.failure,
  INTERNAL: exitCodes.failure,
  UNAVAILABLE: exitCodes.unavailable,
  DATA_LOSS: exitCodes.corrupt,
  UNAUTHENTICATED: exitCodes.denied,
}

/** The exit code that tells a script what went wrong. */
export const exitCodeOf = (error: unknown): number =>
  isOrlopError(error) ? byCode[error.code] : exitCodes.failure
