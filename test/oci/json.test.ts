import test from 'ava'
import fc from 'fast-check'
import {
  asArray,
  asSize,
  asString,
  asStringMap,
  isObject,
  lookalikes,
  optional,
  parseJson,
} from '../../src/oci/json.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

test('parseJson() gives what JSON.parse gives when no key comes twice', t => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), text => {
      t.deepEqual(parseJson(bytes(text), 'doc'), JSON.parse(text))
    }),
  )
})

test('parseJson() takes any nested document that was made from values', t => {
  const { value } = fc.letrec<{ value: unknown }>(tie => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: 'binary' }).map(text => text.replace(/\p{Surrogate}/gu, '')),
      fc.integer(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: fc.constantFrom('"', '\\', '{', ',', 'a', '牛', '_') }), tie('value')),
    ),
  }))
  fc.assert(
    fc.property(value, made => {
      const text = JSON.stringify(made)
      t.is(JSON.stringify(parseJson(bytes(text), 'doc')), text)
    }),
  )
})

const refuses = test.macro<[text: string | Uint8Array, message: RegExp | string]>({
  exec(t, text, message) {
    t.throws(() => parseJson(typeof text === 'string' ? bytes(text) : text, 'doc'), {
      code: 'INVALID_ARGUMENT',
      message,
    })
  },
  title: (_, text) =>
    `parseJson() refuses ${typeof text === 'string' ? JSON.stringify(text.slice(0, 40)) : Buffer.from(text).toString('hex')}`,
})

test(refuses, '{"a":1,"a":2}', 'doc: key "a" appears twice')
test(refuses, '{"a":1,"b":{},"a":1}', 'doc: key "a" appears twice')
test(refuses, '{"a":1,"\\u0061":2}', 'doc: key "a" appears twice')
test(refuses, '{"a\\\\":1,"a\\u005c":2}', 'doc: key "a\\\\" appears twice')
test(refuses, '{"":1,"":2}', 'doc: key "" appears twice')
test(refuses, '[{"x":[{"a":{"b":1,"b":2}}]}]', 'doc: key "b" appears twice')
test(refuses, '{"__proto__":1,"__proto__":2}', 'doc: key "__proto__" appears twice')
test(refuses, '', /not JSON/)
test(refuses, '{', /not JSON/)
test(refuses, '{} {}', /not JSON/)
test(refuses, '{}\0', /not JSON/)
test(refuses, "{'a':1}", /not JSON/)
test(refuses, '{"a":1,}', /not JSON/)
test(refuses, '// x\n{}', /not JSON/)
test(refuses, '{"a":01}', /not JSON/)
test(refuses, '{"a":NaN}', /not JSON/)
test(refuses, '\ufeff{}', /not JSON/)
test(refuses, '<!DOCTYPE html><html></html>', 'doc: not JSON but HTML')
test(refuses, '\n <html>', 'doc: not JSON but HTML')
test(refuses, Buffer.from('{"a":"\xff"}', 'latin1'), 'doc: not UTF-8')
test(refuses, Buffer.from('{"a":"\xed\xa0\x80"}', 'latin1'), 'doc: not UTF-8')
test(refuses, Buffer.from('{}', 'utf16le'), /not JSON/)
test(refuses, '['.repeat(1001) + ']'.repeat(1001), 'doc: nested deeper than 1000')
test(refuses, `${'{"a":'.repeat(1001)}1${'}'.repeat(1001)}`, 'doc: nested deeper than 1000')
test(refuses, ` ${'['.repeat(3_000_000)}`, /not JSON/)

const takes = test.macro<[text: string]>({
  exec(t, text) {
    t.deepEqual(parseJson(bytes(text), 'doc'), JSON.parse(text))
  },
  title: (_, text) => `parseJson() takes ${JSON.stringify(text.slice(0, 40))}`,
})

test(takes, '{"a":{"a":{"a":1}},"b":{"a":1}}')
test(takes, '[{"a":1},{"a":1},{"a":1,"b":{}},{"b":1}]')
test(takes, '{"a":"a","b":"a\\",\\"a\\":1","c":"\\\\"}')
test(takes, '{"a":["a","a",{"a":"a"}],"aa":1}')
test(takes, '{"{\\"a\\":1,\\"a\\":1}":1}')
test(takes, '{"a":1,"A":2}')
test(takes, ' \t\r\n{ "a" : [ 1 , 2 ] } ')
test(takes, '"a"')
test(takes, 'null')
test(takes, '['.repeat(1000) + ']'.repeat(1000))

test('parseJson() takes strings of megabytes', t => {
  const text = JSON.stringify({ a: 'x'.repeat(8_000_000), b: '\\"'.repeat(1_000_000) })
  t.deepEqual(parseJson(bytes(text), 'doc'), JSON.parse(text))
})

test('parseJson() keeps __proto__ a key like others', t => {
  const value = parseJson('{"__proto__":{"x":1}}', 'doc')
  t.true(isObject(value) && Object.hasOwn(value, '__proto__'))
  t.false(typeof value === 'object' && value !== null && 'x' in value)
})

test('lookalikes() refuses what Go takes for another key', t => {
  const check = lookalikes(['digest', 'manifests', 'mediaType', 'fsKeys'])
  t.notThrows(() => check({ digest: 1, manifests: 1, other: 1, digests: 1, Other: 1, media_type: 1 }, 'x'))
  for (const key of [
    'Digest',
    'DIGEST',
    'dige\u017ft',
    'manife\u017ft\u017f',
    'mediatype',
    'MediaType',
    'fs\u212aeys',
  ])
    t.throws(
      () => check({ [key]: 1 }, 'x'),
      { code: 'INVALID_ARGUMENT', message: /^x: key ".*" can be taken for "/ },
      key,
    )
})

test('asSize() takes whole numbers of bytes only', t => {
  for (const size of [0, 1, 1e3, Number.MAX_SAFE_INTEGER]) t.is(asSize(size, 's'), size)
  t.is(asSize(-0, 's'), 0)
  for (const size of [
    -1,
    1.5,
    2 ** 53,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '1',
    null,
    undefined,
    [1],
    {},
    true,
    1n,
  ])
    t.throws(() => asSize(typeof size === 'bigint' ? String(size) : size, 's'), {
      code: 'INVALID_ARGUMENT',
      message: /^s: expected a whole number/,
    })
})

test('asStringMap() freezes and keeps odd keys', t => {
  const map = asStringMap(JSON.parse('{"__proto__":"a","constructor":"b"}'), 'm')
  t.deepEqual(Object.entries(map), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ])
  t.is(Object.getPrototypeOf(map), Object.prototype)
  t.true(Object.isFrozen(map))
  t.throws(() => asStringMap({ a: 1 }, 'm'), { message: 'm.a: expected a string, got 1' })
  t.throws(() => asStringMap(['a'], 'm'), { message: 'm: expected an object, got an array' })
  t.throws(() => asStringMap(null, 'm'), { message: 'm: expected an object, got null' })
})

test('asArray() freezes and names the item that is wrong', t => {
  t.true(Object.isFrozen(asArray(['a'], 'l', asString)))
  t.throws(() => asArray(['a', undefined], 'l', asString), {
    message: 'l[1]: expected a string, got nothing',
  })
  t.throws(() => asArray({ length: 0 }, 'l', asString), { message: 'l: expected an array, got an object' })
})

test('optional() takes null for nothing', t => {
  t.is(optional(null, 'o', asString), undefined)
  t.is(optional(undefined, 'o', asString), undefined)
  t.is(optional('', 'o', asString), '')
  t.throws(() => optional(0, 'o', asString), { message: 'o: expected a string, got 0' })
})
