import test from 'ava'
import fc from 'fast-check'
import { labelField, parseFilters } from '../../src/filters/filter.ts'

interface Thing {
  readonly name: string
  readonly other?: string
  readonly labels?: Readonly<Record<string, string>>
}

const things: readonly Thing[] = [
  { name: 'foo', labels: { foo: 'true' } },
  { name: 'bar' },
  { name: 'foo', labels: { foo: 'present', 'some spaced label': 'present' } },
  { name: 'bar', labels: { bar: 'true' } },
  { name: 'fooer', labels: { 'label with \\ and "': 'present' } },
  { name: 'fooer', labels: { 'label with \\ and ".post': 'present' } },
  { name: 'baz', other: 'too complex, yo' },
  { name: 'bazo', other: 'abc' },
  { name: 'compound', labels: { foo: 'omg_asdf.asdf-qwer', 'ns.io/key': 'a/b' } },
]

const matching = (...filters: readonly string[]): readonly number[] => {
  const wanted = parseFilters(filters)
  return things.flatMap((thing, index) => {
    const passes = wanted(([head, ...rest]) => {
      if (head === 'name') return thing.name
      if (head === 'other') return thing.other
      return head === 'labels' ? labelField(thing.labels, rest) : undefined
    })
    return passes ? [index] : []
  })
}

const all = things.map((_, index) => index)

const picks = test.macro({
  exec(t, filters: readonly string[], expected: readonly number[]) {
    t.deepEqual(matching(...filters), expected)
  },
  title: (_, filters) => `parseFilters() reads ${JSON.stringify(filters)}`,
})

test(picks, [], all)
test(picks, [''], all)
test(picks, ['name==nobody', ''], all)
test(picks, ['name'], all)
test(picks, ['other'], [6, 7])
test(picks, ['unknown'], [])
test(picks, ['labels'], [])
test(picks, ['labels.foo'], [0, 2, 8])
test(picks, ['labels.foo,name'], [0, 2, 8])
test(picks, ['labels.foo==true'], [0])
test(picks, ['labels.foo==omg_asdf.asdf-qwer'], [8])
test(picks, ['name==bar'], [1, 3])
test(picks, ['name==bar', 'name==baz'], [1, 3, 6])
test(picks, ['name!=bar'], [0, 2, 4, 5, 6, 7, 8])
test(picks, ['other!=abc'], [0, 1, 2, 3, 4, 5, 6, 8])
test(picks, ['other!=""'], [6, 7])
test(picks, ['other==""'], [])
test(picks, ['name==bar,labels.bar'], [3])
test(picks, ['name==bar, labels.bar'], [3])
test(picks, [' name == bar'], [1, 3])
test(picks, ['other=="too complex, yo"'], [6])
test(picks, ['other~=[abc]+,name!=foo'], [6, 7])
test(picks, ['other~=/[abc]+/,name!=foo'], [6, 7])
test(picks, ['other~=|[abc]{1,2}|,name!=foo'], [6, 7])
test(picks, ['other~=/[abc]{0,1}"\\//,name!=foo'], [])
test(picks, ['other~=^$'], [0, 1, 2, 3, 4, 5, 8])
test(picks, ['other~=(('], [])
test(picks, ['name==bar,labels.bar==true'], [3])
test(picks, ['name==bar,labels.bar==wrong'], [])
test(picks, ['name==foo,labels."some spaced label"'], [2])
test(picks, ['labels."label with \\\\ and \\""==present'], [4])
test(picks, ['labels."label with \\\\ and \\"".post==present'], [5])
test(picks, ['labels."ns.io/key"==a/b'], [8])
test(picks, ['labels.ns."io/key"==a/b'], [8])
test(picks, ['"name"==baz'], [6])
test(picks, ['name=="\\x62\\141\\u007a"'], [6])

const refuses = test.macro({
  exec(t, text: string, message: string) {
    t.throws(() => parseFilters(['name', text]), {
      code: 'INVALID_ARGUMENT',
      message: `filters: parse error: ${message}`,
    })
  },
  title: (_, text) => `parseFilters() refuses ${JSON.stringify(text)}`,
})

test(refuses, 'labels.|foo|==omg', '[labels. >|||< foo|==omg]: invalid quote encountered')
test(refuses, 'labels.?"with \\\\".post==a', '[labels. >|?|< "with \\\\".post==a]: expected field or quoted')
test(refuses, 'name==foo,', '[name==foo,]: expected field or quoted')
test(refuses, 'labels.', '[labels.]: expected field or quoted')
test(refuses, 'image~=,id?=?fbaq', '[image~= >|,|< id?=?fbaq]: expected value or quoted')
test(refuses, 'labels.ns/key==value', '[labels.ns >|/|< key==value]: quoted literal not terminated')
test(refuses, 'labels.key==/value', '[labels.key== >|/|< value]: quoted literal not terminated')
test(refuses, 'topic==/x/', '[topic== >|/|< x/]: invalid quote encountered')
test(refuses, 'foo=bar', '[foo >|=|< bar]: unsupported operator "="')
test(refuses, 'foo===bar', '[foo >|=|< ==bar]: unsupported operator "==="')
test(refuses, 'name==', '[name==]: expected value or quoted')
test(refuses, 'name==a b', '[name==a >| |< b]: unexpected input:  ')
test(refuses, 'name==a ', '[name==a >| |< ]: unexpected input:  ')
test(refuses, 'name ', '[name ]: expected an operator ("=="|"!="|"~=")')
test(refuses, 'name foo', '[name  >|f|< oo]: expected an operator ("=="|"!="|"~=")')
test(refuses, ',name', '[ >|,|< name]: expected field or quoted')
test(refuses, 'na-me==x', '[na >|-|< me==x]: expected an operator ("=="|"!="|"~=")')
test(refuses, 'labels.*', '[labels. >|*|< ]: expected field or quoted')
test(refuses, 'name==.x', '[name== >|.|< x]: expected value or quoted')
test(refuses, 'name\0', '[name >|\0|< ]: unexpected null')
test(refuses, 'name=="\\g"', '[name== >|"|< \\g"]: illegal escape sequence')
test(refuses, 'name~=/\\d/', '[name~= >|/|< \\d/]: illegal escape sequence')
test(refuses, 'name=="\\xaz"', '[name== >|"|< \\xaz"]: illegal numeric escape sequence')
test(refuses, 'name=="\\777"', '[name== >|"|< \\777"]: unquoting failed: quote syntax error')
test(refuses, 'name=="a\nb"', '[name== >|"|< a\nb"]: quoted literal not terminated')
test(refuses, '牛', '[ >|牛|< ]: expected field or quoted')

test('labelField() sees own labels only', t => {
  t.is(labelField({}, ['constructor']), undefined)
  t.is(labelField(Object.fromEntries([['__proto__', 'x']]), ['__proto__']), 'x')
  t.is(labelField(undefined, ['a']), undefined)
  t.is(labelField({ 'a.b': 'c' }, ['a', 'b']), 'c')
})

test('parseFilters() finds any text that is quoted for it', t => {
  const quoted = (text: string) => `"${text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (value, other) => {
      fc.pre(!/[\0\ufffd]/.test(value))
      const wanted = parseFilters([`name==${quoted(value)}`])
      return wanted(() => value) && wanted(() => other) === (other === value)
    }),
  )
  t.pass()
})

test('parseFilters() reads or refuses every text, in its own words', t => {
  const alphabet = fc.constantFrom(
    'a',
    'b',
    '.',
    ',',
    '=',
    '!',
    '~',
    '"',
    '/',
    '|',
    '\\',
    ' ',
    '\n',
    'x',
    '0',
    '牛',
    '(',
  )
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 20 }), pieces => {
      try {
        parseFilters([pieces.join('')])(() => 'a')
      } catch (error) {
        return error instanceof Error && error.message.startsWith('filters: parse error: [')
      }
      return true
    }),
    { numRuns: 2000 },
  )
  t.pass()
})
