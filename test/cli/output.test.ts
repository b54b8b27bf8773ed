import { PassThrough } from 'node:stream'
import test from 'ava'
import {
  createOutput,
  formatAge,
  formatBytes,
  formatDecimalBytes,
  formatLabels,
  formatTable,
  printable,
  printableLine,
  toJson,
} from '../../src/cli/output.ts'

const shows = test.macro<[(value: number) => string, number, string]>({
  exec(t, format, value, text) {
    t.is(format(value), text)
  },
  title: (_, format, value, text) => `${format.name}() shows ${value} as ${text}`,
})

test(shows, formatBytes, 0, '0.0 B')
test(shows, formatBytes, 1023, '1023.0 B')
test(shows, formatBytes, 1024, '1.0 KiB')
test(shows, formatBytes, 2156125, '2.1 MiB')
test(shows, formatBytes, 5 * 1024 ** 5, '5120.0 TiB')
test(shows, formatDecimalBytes, 0, '0B')
test(shows, formatDecimalBytes, 999, '999B')
test(shows, formatDecimalBytes, 1000, '1kB')
test(shows, formatDecimalBytes, 2156125, '2.156MB')
test(shows, formatDecimalBytes, 1234567890, '1.235GB')
test(shows, formatAge, 500, 'Less than a second')
test(shows, formatAge, 1000, '1 second')
test(shows, formatAge, 59_000, '59 seconds')
test(shows, formatAge, 60_000, 'About a minute')
test(shows, formatAge, 59 * 60_000, '59 minutes')
test(shows, formatAge, 3_600_000, 'About an hour')
test(shows, formatAge, 47 * 3_600_000, '47 hours')
test(shows, formatAge, 13 * 86_400_000, '13 days')
test(shows, formatAge, 29 * 86_400_000, '4 weeks')
test(shows, formatAge, 100 * 86_400_000, '3 months')
test(shows, formatAge, 3 * 365 * 86_400_000, '3 years')

test('formatTable() pads all columns but the last, and leaves no spaces behind', t => {
  t.deepEqual(
    formatTable([
      ['REF', 'SIZE', 'LABELS'],
      ['a', '12', '-'],
      ['longer', '1', ''],
    ]),
    ['REF    SIZE LABELS', 'a      12   -', 'longer 1'],
  )
})

test('formatLabels() sorts by key, and shows none as a dash', t => {
  t.is(formatLabels({ b: '2', a: '1' }), 'a=1,b=2')
  t.is(formatLabels({}), '-')
})

test('printable() lets no escape sequence, bidi override or carriage return through to a terminal', t => {
  t.is(printable('a\u001b[31mb'), 'a\\u{1b}[31mb')
  t.is(printable('x\u202ey'), 'x\\u{202e}y')
  t.is(printable('x\ry'), 'x\\u{d}y')
  t.is(printable('busybox:latest → ü\n\t'), 'busybox:latest → ü\n\t')
})

test('createOutput() keeps data and remarks apart', async t => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const out = createOutput(stdout, stderr)
  out.line('data')
  out.json({ a: '\u001b' })
  out.note('remark')
  await out.bytes(Buffer.from([0, 255]))
  stdout.end()
  stderr.end()
  t.deepEqual(
    Buffer.concat(await stdout.toArray()),
    Buffer.from('data\n{\n  "a": "\\u001b"\n}\n\x00\xff', 'latin1'),
  )
  t.is(Buffer.concat(await stderr.toArray()).toString(), 'remark\n')
})

test('printableLine() makes one line of any text', t => {
  t.is(printableLine('a\nb\tc\u001b'), 'a\\nb\\tc\\u{1b}')
})

test('formatTable() lets no cell pass for another row', t => {
  t.deepEqual(
    formatTable([
      ['A', 'B'],
      ['x\nforged', 'y'],
    ]),
    ['A         B', 'x\\nforged y'],
  )
})

test('toJson() escapes what could drive a terminal, and means the same', t => {
  const value = { 'k\u009b': 'a\u202eb\u007f\u{e0001}\ud800 ü 漢 😀' }
  const text = toJson(value)
  t.notRegex(text, /\p{C}/u)
  t.true(text.includes('ü 漢 😀'))
  t.deepEqual(JSON.parse(text), value)
  t.is(toJson({ a: [1] }, 2), '{\n  "a": [\n    1\n  ]\n}')
})
