import test from 'ava'
import { type ErrorCode, OrlopError } from '../../src/errors.ts'
import { fromStatus, toStatus } from '../../src/service/status.ts'

const codes: Readonly<Record<ErrorCode, number>> = {
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
}

for (const [code, number] of Object.entries(codes) as [ErrorCode, number][]) {
  test(`toStatus() and fromStatus() take ${code} across and back`, t => {
    const error = new OrlopError(code, 'blob “x” is odd')
    const status = toStatus(error)
    t.is(status.code, number)
    t.regex(status.message, /^blob “x” is odd: [a-z ]+$/)
    const back = fromStatus(status)
    t.is(back.code, code)
    t.is(back.message, error.message)
  })
}

test('toStatus() says the kind once, in containerd’s words', t => {
  const text = (code: ErrorCode, message: string): string => toStatus(new OrlopError(code, message)).message
  t.is(text('NOT_FOUND', 'lease "a" does not exist'), 'lease "a": not found')
  t.is(text('ALREADY_EXISTS', 'lease "a" already exists'), 'lease "a": already exists')
  t.is(text('UNIMPLEMENTED', 'x'), 'x: not implemented')
})

test('toStatus() keeps a stranger’s text to itself', t => {
  for (const error of [
    new Error('password=opensesame'),
    'opensesame',
    undefined,
    { message: 'opensesame' },
  ]) {
    t.deepEqual(toStatus(error), { code: 2, message: 'unknown error' })
  }
})

test('toStatus() takes aborts for cancelled, timeouts for late', t => {
  t.is(toStatus(new DOMException('x', 'AbortError')).code, 1)
  t.is(toStatus(AbortSignal.abort().reason).code, 1)
  t.is(toStatus(new DOMException('x', 'TimeoutError')).code, 4)
})

test('toStatus() makes any text fit for a header', t => {
  const { message, original = '' } = toStatus(new OrlopError('INTERNAL', `\ud800${'x'.repeat(100_000)}`))
  t.true(message.length < 5000 && original.length < 5000)
  t.notThrows(() => encodeURI(message))
})

test('fromStatus() takes numbers that are no code for UNKNOWN', t => {
  for (const code of [0, 17, -1]) t.is(fromStatus({ code, message: 'x' }).code, 'UNKNOWN')
  t.is(fromStatus({ code: 5, message: '' }).message, 'not found')
})
