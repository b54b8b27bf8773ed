import { type ErrorCode, fromErrno, OrlopError } from '../errors.ts'

const closed = ['LEVEL_DATABASE_NOT_OPEN', 'LEVEL_ITERATOR_NOT_OPEN', 'LEVEL_SNAPSHOT_NOT_OPEN']

/** How LevelDB's own texts end, which carry the system's instead of an errno. */
const systemTexts: ReadonlyArray<readonly [RegExp, ErrorCode, string]> = [
  [/permission denied|operation not permitted/i, 'PERMISSION_DENIED', 'permission denied'],
  [/read-only file system/i, 'PERMISSION_DENIED', 'the file system is read-only'],
  [
    /no space left/i,
    'RESOURCE_EXHAUSTED',
    'no space left on the device; free some, then open the database again',
  ],
  [/quota exceeded/i, 'RESOURCE_EXHAUSTED', 'disk quota exceeded; free some, then open the database again'],
  [/too many open files/i, 'RESOURCE_EXHAUSTED', 'too many open files; raise the limit (ulimit -n)'],
  [/not a directory/i, 'FAILED_PRECONDITION', 'not a directory'],
  [
    /no such file/i,
    'DATA_LOSS',
    'one of its files is missing; restore the directory from a copy, or make records anew with "orlop rebuild"',
  ],
  [/input\/output error/i, 'DATA_LOSS', 'input/output error of the device'],
]

/**
 * An error of `level` as ours, with its cause; what is no error of `level` passes unchanged.
 *
 * @param directory  where the database is
 */
export function fromLevel(error: unknown, directory: string): unknown {
  const code = codeOf(error)
  const beneath = error instanceof Error ? error.cause : undefined
  if (code === undefined || !(error instanceof Error)) return error
  if (code === 'LEVEL_DATABASE_NOT_OPEN' && beneath !== undefined) return fromLevel(beneath, directory)
  const what = `metadata: the database ${directory}`
  if (!code.startsWith('LEVEL_')) return fromErrno(error, what)
  const as = (ours: ErrorCode, text: string) => new OrlopError(ours, `${what}${text}`, { cause: error })
  if (closed.includes(code)) return as('UNAVAILABLE', ' is closed')
  if (code === 'LEVEL_LOCKED') return as('UNAVAILABLE', held(error.message))
  if (code === 'LEVEL_CORRUPTION' || code === 'LEVEL_DECODING_ERROR') {
    return as(
      'DATA_LOSS',
      ` is damaged (${error.message}); restore the directory from a copy, or make records anew with "orlop rebuild"`,
    )
  }
  for (const [pattern, ours, text] of systemTexts) {
    if (pattern.test(error.message)) return as(ours, `: ${text}`)
  }
  return as('INTERNAL', `: ${error.message}`)
}

const held = (message: string): string =>
  /already held by process/.test(message)
    ? ' is open in this process already; share it, or close it first'
    : ' is held by another process; wait until that has ended, or reach the store through its socket'

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined
