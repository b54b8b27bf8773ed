/**
 * gRPC's canonical names, the only conditions that orlop tells apart.
 *
 * containerd's kinds map onto them; its Conflict and NotModified travel as FAILED_PRECONDITION.
 * docs/errors.md says for each when you see it and what to do.
 */
export type ErrorCode =
  | 'CANCELED'
  | 'UNKNOWN'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'DATA_LOSS'
  | 'UNAUTHENTICATED'

const brand = Symbol.for('orlop.error')

/** The one error class. Match on `code`, never on the class or the text; `cause` holds what lay beneath. */
export class OrlopError extends Error {
  override readonly name: string = 'OrlopError'
  readonly [brand] = true
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** True for our errors, also when two copies of the package are loaded. */
export const isOrlopError = (error: unknown): error is OrlopError =>
  typeof error === 'object' && error !== null && brand in error

/** True when `error` is ours and has the given code. */
export const hasCode = (error: unknown, code: ErrorCode): boolean =>
  isOrlopError(error) && error.code === code

/** True when something that was asked for by name is not there. */
export const isNotFound = (error: unknown): boolean => hasCode(error, 'NOT_FOUND')

/** True when something is there already. */
export const isAlreadyExists = (error: unknown): boolean => hasCode(error, 'ALREADY_EXISTS')

/** True when trying again later may work: a locked ref, a held database, a server that is down. */
export const isUnavailable = (error: unknown): boolean => hasCode(error, 'UNAVAILABLE')

/** Says where an error happened and keeps its code and cause; aborts and foreign errors pass unchanged. */
export function annotate(error: unknown, where: string): unknown {
  if (!isOrlopError(error)) return error
  return new OrlopError(error.code, `${where}: ${error.message}`, { cause: error })
}

const errnoCodes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'NOT_FOUND',
  EEXIST: 'ALREADY_EXISTS',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  EROFS: 'PERMISSION_DENIED',
  ENOSPC: 'RESOURCE_EXHAUSTED',
  EDQUOT: 'RESOURCE_EXHAUSTED',
  EFBIG: 'RESOURCE_EXHAUSTED',
  EMFILE: 'RESOURCE_EXHAUSTED',
  ENFILE: 'RESOURCE_EXHAUSTED',
  ELOOP: 'FAILED_PRECONDITION',
  ENOTDIR: 'FAILED_PRECONDITION',
  EISDIR: 'FAILED_PRECONDITION',
  ENOTEMPTY: 'FAILED_PRECONDITION',
  ENAMETOOLONG: 'INVALID_ARGUMENT',
  EIO: 'DATA_LOSS',
}

const errnoTexts: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EEXIST: 'it exists already',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'disk quota exceeded',
  EMFILE: 'too many open files',
  ELOOP: 'too many symbolic links',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
  EIO: 'input/output error of the device',
}

/**
 * An error of Node's file system as ours: `what` names the object, the errno decides the code.
 *
 * Ours and aborts pass unchanged, so it can stand in any `catch` around file work.
 */
export function fromErrno(error: unknown, what: string): unknown {
  if (isOrlopError(error) || !(error instanceof Error) || !('code' in error)) return error
  const errno = String(error.code)
  const code = Object.hasOwn(errnoCodes, errno) ? errnoCodes[errno] : undefined
  if (code === undefined)
    return error.name === 'AbortError'
      ? error
      : new OrlopError('INTERNAL', `${what}: ${error.message}`, { cause: error })
  return new OrlopError(code, `${what}: ${errnoTexts[errno] ?? error.message}`, { cause: error })
}
