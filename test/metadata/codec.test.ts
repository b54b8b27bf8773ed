import test from 'ava'
import {
  decode,
  encode,
  readBlobRecord,
  readIngestRecord,
  readLeaseRecord,
  readNamespaceRecord,
} from '../../src/metadata/codec.ts'
import { digestOf } from '../../src/oci/digest.ts'

const at = new Date('2026-01-02T03:04:05.678Z')
const later = new Date('2026-01-02T03:04:06.000Z')
type Read = (value: unknown, what: string) => object

const roundTrips = test.macro({
  exec(t, read: Read, record: object) {
    const back = decode('some/key', JSON.parse(JSON.stringify(encode(record))), read)
    t.deepEqual(back, record)
    t.true(Object.isFrozen(back))
  },
  title: (what = '', read: Read) => `decode() with ${read.name} gives back ${what}`,
})

const blob = { size: 3, labels: { a: 'b' }, createdAt: at, updatedAt: later }
test('a blob', roundTrips, readBlobRecord, blob)
test('an empty blob without labels', roundTrips, readBlobRecord, { ...blob, size: 0, labels: {} })
test('an ingest', roundTrips, readIngestRecord, {
  backendRef: 'default/1/a',
  startedAt: at,
  expiresAt: later,
  expected: digestOf('x'),
  total: 0,
  shared: true,
})
test('an ingest of which little is known', roundTrips, readIngestRecord, { backendRef: 'a', startedAt: at })
test('a lease', roundTrips, readLeaseRecord, { labels: { a: 'b' }, createdAt: at })
test('a namespace', roundTrips, readNamespaceRecord, { labels: JSON.parse('{"__proto__":"b"}') })

const refuses = test.macro({
  exec(t, read: Read, value: unknown) {
    const error = t.throws(() => decode('v1/a/content/b', value, read), {
      code: 'DATA_LOSS',
      message: /v1\/a\/content\/b cannot be read: ./,
    })
    t.truthy(error.cause)
  },
  title: (what = '', read: Read) => `decode() with ${read.name} of ${what} is DATA_LOSS and names the key`,
})

const good = { size: 3, labels: {}, createdAt: at.toISOString(), updatedAt: at.toISOString() }
test('null', refuses, readBlobRecord, null)
test('a list', refuses, readBlobRecord, [])
test('a text', refuses, readLeaseRecord, 'x')
test('nothing in it', refuses, readNamespaceRecord, {})
test('a negative size', refuses, readBlobRecord, { ...good, size: -1 })
test('a fraction as size', refuses, readBlobRecord, { ...good, size: 1.5 })
test('a text as size', refuses, readBlobRecord, { ...good, size: '3' })
test('a label that is no text', refuses, readBlobRecord, { ...good, labels: { a: 1 } })
test('no labels', refuses, readBlobRecord, { ...good, labels: undefined })
test('a date that is none', refuses, readBlobRecord, { ...good, createdAt: 'yesterday' })
test('a number as date', refuses, readBlobRecord, { ...good, updatedAt: 0 })
test('no backend ref', refuses, readIngestRecord, { startedAt: at.toISOString() })
test('a digest that is none', refuses, readIngestRecord, {
  backendRef: 'a',
  startedAt: at.toISOString(),
  expected: 'sha256:0',
})

test('decode() lets a mistake in the parser through', t => {
  const mistake = new TypeError('mine')
  const error = t.throws(() =>
    decode('k', {}, () => {
      throw mistake
    }),
  )
  t.is(error, mistake)
})
