import test from 'ava'
import {
  byteCount,
  collect,
  count,
  duration,
  labelArguments,
  newLabels,
  requestRate,
  room,
  size,
  wantedPlatforms,
} from '../../src/cli/arguments.ts'
import { hostWanted } from '../../src/runtime/select.ts'

const reads = test.macro<[(text: string) => unknown, string, unknown]>({
  exec(t, read, text, value) {
    t.deepEqual(read(text), value)
  },
  title: (_, read, text) => `${read.name}() reads ${JSON.stringify(text)}`,
})

const refuses = test.macro<[(text: string) => unknown, string]>({
  exec(t, read, text) {
    t.throws(() => read(text), { code: 'commander.invalidArgument' })
  },
  title: (_, read, text) => `${read.name}() refuses ${JSON.stringify(text)}`,
})

test(reads, count, '3', 3)
test(refuses, count, '0')
test(refuses, count, '-1')
test(refuses, count, '1.5')
test(refuses, count, 'many')
test(refuses, count, '')
test(reads, byteCount, '0', 0)
test(reads, byteCount, '1048576', 1048576)
test(refuses, byteCount, '-1')
test(refuses, byteCount, '1e3')
test(refuses, byteCount, '')
test(refuses, byteCount, '99999999999999999999')
test(reads, requestRate, '100/1m', { requests: 100, perMs: 60_000 })
test(reads, requestRate, '5/s', { requests: 5, perMs: 1000 })
test(reads, duration, '0', 0)
test(reads, duration, '90s', 90_000)
test(reads, duration, '1h30m', 5_400_000)
test(reads, duration, '24h', 86_400_000)
test(reads, duration, '1.5h', 5_400_000)
test(reads, duration, '250ms', 250)
test(refuses, duration, '24')
test(refuses, duration, 'h')
test(refuses, duration, '-1h')
test(refuses, duration, '1h 30m')
test(refuses, duration, '')

test(reads, size, '0', 0)
test(reads, size, '1500000', 1_500_000)
test(reads, size, '12B', 12)
test(reads, size, '500MB', 500_000_000)
test(reads, size, '500 kB', 500_000)
test(reads, size, '2M', 2 * 1024 ** 2)
test(reads, size, '20GiB', 20 * 1024 ** 3)
test(reads, size, '1.5K', 1536)
test(reads, size, '1T', 1024 ** 4)
test(refuses, size, '')
test(refuses, size, '-1')
test(refuses, size, '1e3')
test(refuses, size, '5 apples')
test(refuses, size, '10%')
test(refuses, size, 'GB')
test(refuses, size, '99999999T')
test(reads, room, '10%', { part: 0.1 })
test(reads, room, '100%', { part: 1 })
test(reads, room, '2GB', { bytes: 2_000_000_000 })
test(refuses, room, '101%')
test(refuses, room, '%')
test(refuses, room, '-5%')

test('collect() keeps the order in which options were given', t => {
  t.deepEqual(collect('b', collect('a')), ['a', 'b'])
})

test('labelArguments() removes what has an empty value and sets a key alone to true, as ctr does', t => {
  t.deepEqual(labelArguments(['a=1', 'b=x=y', 'c=', 'd']), { a: '1', b: 'x=y', c: null, d: 'true' })
  t.deepEqual(newLabels(['c=', 'd']), { d: 'true' })
  t.deepEqual(labelArguments(undefined), {})
})

test('labelArguments() refuses a label without a key', t => {
  t.throws(() => labelArguments(['=1']), { code: 'INVALID_ARGUMENT' })
})

test('labelArguments() takes __proto__ for a key like any other', t => {
  t.deepEqual(Object.entries(labelArguments(['__proto__=1'])), [['__proto__', '1']])
  t.deepEqual(Object.entries(newLabels(['__proto__=1', 'x='])), [['__proto__', '1']])
})

test('wantedPlatforms() is the host when nothing was asked for', t => {
  t.deepEqual(
    wantedPlatforms(undefined).map(({ text }) => text),
    [hostWanted().text],
  )
})

test('wantedPlatforms() keeps each platform that was asked for', t => {
  const [arm, amd] = wantedPlatforms(['linux/arm64', 'linux/amd64'])
  t.is(arm?.text, 'linux/arm64')
  t.true(amd?.matcher.match({ os: 'linux', architecture: 'amd64' }))
  t.false(amd?.matcher.match({ os: 'linux', architecture: 'arm64' }))
})

test('wantedPlatforms() refuses what is no platform', t => {
  t.throws(() => wantedPlatforms(['linux/&arm']), { code: 'INVALID_ARGUMENT' })
})
test(refuses, requestRate, '100')
test(refuses, requestRate, '0/1m')
test(refuses, requestRate, '5/0s')
test(refuses, requestRate, '5/')
test(refuses, requestRate, 'x/1m')
