import test from 'ava'
import {
  byteCount,
  collect,
  count,
  duration,
  hostWanted,
  labelArguments,
  newLabels,
  wantedPlatforms,
} from '../../src/cli/arguments.ts'

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

test('collect() keeps the order in which options were given', t => {
  t.deepEqual(collect('b', collect('a')), ['a', 'b'])
})

test('labelArguments() removes what has no value, as ctr does', t => {
  t.deepEqual(labelArguments(['a=1', 'b=x=y', 'c=', 'd']), { a: '1', b: 'x=y', c: null, d: null })
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
