import { readFile } from 'node:fs/promises'
import test from 'ava'
import {
  annotate,
  type ErrorCode,
  fromErrno,
  hasCode,
  isAlreadyExists,
  isNotFound,
  isOrlopError,
  isUnavailable,
  OrlopError,
} from '../src/errors.ts'

test('OrlopError keeps code, text and cause', t => {
  const cause = new Error('beneath')
  const error = new OrlopError('NOT_FOUND', 'image a', { cause })
  t.is(error.code, 'NOT_FOUND')
  t.is(error.message, 'image a')
  t.is(error.cause, cause)
  t.is(error.name, 'OrlopError')
  t.true(error instanceof Error)
})

test('isOrlopError() knows ours only', t => {
  t.true(isOrlopError(new OrlopError('INTERNAL', '')))
  t.true(isOrlopError({ [Symbol.for('orlop.error')]: true }))
  for (const other of [new Error('x'), { code: 'NOT_FOUND' }, null, undefined, 'NOT_FOUND', 1])
    t.false(isOrlopError(other))
})

test('the predicates look at the code', t => {
  t.true(isNotFound(new OrlopError('NOT_FOUND', '')))
  t.true(isAlreadyExists(new OrlopError('ALREADY_EXISTS', '')))
  t.true(isUnavailable(new OrlopError('UNAVAILABLE', '')))
  t.false(isNotFound(new OrlopError('INTERNAL', '')))
  t.false(isNotFound(Object.assign(new Error(''), { code: 'NOT_FOUND' })))
  t.false(hasCode(undefined, 'NOT_FOUND'))
})

test('annotate() says where and keeps the code', t => {
  const error = new OrlopError('DATA_LOSS', 'blob x')
  const told = annotate(error, 'image a')
  t.true(hasCode(told, 'DATA_LOSS'))
  t.true(told instanceof OrlopError && told.message === 'image a: blob x' && told.cause === error)
})

test('annotate() leaves aborts and strangers as they are', t => {
  for (const other of [new DOMException('stop', 'AbortError'), new TypeError('x'), 'text', undefined])
    t.is(annotate(other, 'here'), other)
})

const translates = test.macro<[errno: string, code: ErrorCode]>({
  exec(t, errno, code) {
    const cause = Object.assign(new Error(`${errno}: what Node says`), { code: errno })
    const error = fromErrno(cause, 'blob x')
    t.true(hasCode(error, code))
    t.true(error instanceof OrlopError && error.message.startsWith('blob x: ') && error.cause === cause)
  },
  title: (_, errno, code) => `fromErrno() makes ${errno} ${code}`,
})

test(translates, 'ENOENT', 'NOT_FOUND')
test(translates, 'EEXIST', 'ALREADY_EXISTS')
for (const errno of ['EACCES', 'EPERM', 'EROFS']) test(translates, errno, 'PERMISSION_DENIED')
for (const errno of ['ENOSPC', 'EDQUOT', 'EFBIG', 'EMFILE', 'ENFILE'])
  test(translates, errno, 'RESOURCE_EXHAUSTED')
for (const errno of ['ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'ELOOP'])
  test(translates, errno, 'FAILED_PRECONDITION')
test(translates, 'ENAMETOOLONG', 'INVALID_ARGUMENT')
test(translates, 'EIO', 'DATA_LOSS')
test(translates, 'EWHATEVER', 'INTERNAL')
test(translates, 'constructor', 'INTERNAL')

test('fromErrno() translates what Node throws, and names the object', async t => {
  const error = await readFile('/nowhere/at/all').catch((cause: unknown) => fromErrno(cause, 'blob x'))
  t.true(isNotFound(error))
  t.is(error instanceof Error ? error.message : '', 'blob x: no such file or directory')
})

test('fromErrno() leaves ours, aborts and errors without a code as they are', async t => {
  const aborted: unknown = await readFile('/dev/null', { signal: AbortSignal.abort() }).catch(
    (error: unknown) => error,
  )
  t.is(aborted instanceof Error ? aborted.name : '', 'AbortError')
  for (const other of [
    new OrlopError('ABORTED', 'x'),
    aborted,
    new DOMException('x', 'AbortError'),
    new Error('x'),
    'text',
    null,
  ])
    t.is(fromErrno(other, 'blob'), other)
})
