import test from 'ava'
import fc from 'fast-check'
import { maxPatternLength, searcher } from '../../src/filters/regexp.ts'

const finds = test.macro({
  exec(t, pattern: string, yes: readonly string[], no: readonly string[] = []) {
    const found = searcher(pattern)
    for (const text of yes) t.true(found(text), `in ${JSON.stringify(text)}`)
    for (const text of no) t.false(found(text), `not in ${JSON.stringify(text)}`)
  },
  title: (_, pattern) => `searcher() finds ${JSON.stringify(pattern)}`,
})

test(finds, '', ['', 'a'])
test(finds, 'b', ['b', 'abc'], ['', 'B'])
test(finds, '^b$', ['b'], ['bb', 'b\n', '\nb'])
test(finds, '(?m)^b$', ['a\nb\nc', 'b\n'], ['ab'])
test(finds, 'a.c', ['abc', 'a牛c', 'a😀c'], ['a\nc', 'ac'])
test(finds, '(?s)a.c', ['a\nc'], ['ac'])
test(finds, '(?i)straße|Kelvin', ['STRAßE', '\u212aelvin', 'kELVIN'], ['strasse'])
test(finds, 'a(?i)b|c', ['aB', 'C'], ['AB'])
test(finds, '(?i:a)b', ['Ab'], ['aB'])
test(finds, '(?i)a(?-i)b', ['Ab'], ['AB'])
test(finds, '(?P<year>\\d{4})-(?<month>\\d\\d)', ['on 2024-01-02'], ['204-01'])
test(finds, '^(?:a|b)+$', ['abba'], ['', 'abc'])
test(finds, '^a{2,3}$', ['aa', 'aaa'], ['a', 'aaaa'])
test(finds, '^a{2}$', ['aa'], ['a', 'aaa'])
test(finds, '^a{2,}$', ['aa', 'aaaaaa'], ['a'])
test(finds, '^a{0}$', [''], ['a'])
test(finds, '^a{,2}$', ['a{,2}'], ['aa'])
test(finds, '^{$', ['{'])
test(finds, '^a*?b+?c??$', ['b', 'aabbc'], ['ac'])
test(finds, '^(a*)*$', ['', 'aaa'], ['b'])
test(finds, '^(|a)+b$', ['b', 'aab'], ['a'])
test(finds, '[^abc]', ['d', '\n', '😀'], ['abc', ''])
test(finds, '^[]a]$', [']', 'a'], ['b'])
test(finds, '^[^]a]$', ['b'], [']', 'a'])
test(finds, '^[a-]$', ['-', 'a'], ['b'])
test(finds, '^[\\d-z]$', ['-', 'z', '5'], ['a'])
test(finds, '^[[:alpha:][:^print:]]+$', ['ab\0'], ['1'])
test(finds, '^[\\w.-]+$', ['a_1.b-c'], ['a b', 'é'])
test(finds, '^[^\\W\\d]$', ['a', '_'], ['1', '-'])
test(finds, '^\\pL\\p{Lu}\\p{Greek}\\P{Greek}$', ['aBγx'], ['abγx', 'aBxx'])
test(finds, '^\\p{^Greek}\\P{^Greek}\\p{Any}$', ['xγ😀'], ['γγx'])
test(finds, '\\bfoo\\b', ['a foo b', 'foo'], ['food', 'afoo'])
test(finds, 'o\\Bo', ['foo'], ['o o'])
test(finds, '\\Afoo\\z', ['foo'], ['foo\n', 'afoo'])
test(finds, '^\\Qa.b*\\E+$', ['a.b*', 'a.b**'], ['a.bb', 'axb'])
test(finds, '\\Qa|b', ['a|b'], ['a', 'b'])
test(finds, '^\\x41\\x{1F600}\\101\\0\\t$', ['A😀A\0\t'])
test(finds, '^\\.\\/\\_\\-$', ['./_-'])
test(finds, '(?U)^a+$', ['aaa'])

const never = test.macro<[pattern: string]>({
  exec(t, pattern: string) {
    const found = searcher(pattern)
    t.false(['', 'a', 'aa', 'b', pattern].some(found))
  },
  title: (_, pattern) =>
    `searcher() finds nothing for ${JSON.stringify(pattern.slice(0, 30))}, which RE2 refuses`,
})

for (const pattern of [
  '(',
  ')',
  '(()',
  'a)',
  '[',
  '[]',
  '[^]',
  '[b-a]',
  '[a-\\d]',
  '[[:foo:]]',
  '*',
  'a|*',
  '(*)',
  '+a',
  '{2}',
  'a**',
  'a+*',
  'a{2}{3}',
  'a*??',
  'a{2,1}',
  'a{1001}',
  '(a{100}){11}',
  '((a{10}){10}){11}',
  '\\',
  '\\1',
  '(a)\\1',
  '\\8',
  '\\Z',
  '\\C',
  '\\y',
  '\\é',
  '\\xg',
  '\\x{}',
  '\\x{110000}',
  '\\p',
  '\\p{}',
  '\\p{Nope}',
  '\\p{L=x}',
  '(?=a)',
  '(?!a)',
  '(?<=a)b',
  '(?<!a)b',
  '(?P<a>x)(?P<a>y)',
  '(?P<>x)',
  '(?P=a)',
  '(?z)',
  '(?-)',
  '(?i-)',
  '(?',
  'a'.repeat(maxPatternLength + 1),
  '('.repeat(1500) + ')'.repeat(1500),
  '(?:a{900}b)'.repeat(300),
])
  test(never, pattern)

test('searcher() takes patterns that cost a backtracking engine for ever', t => {
  const text = 'a'.repeat(2000)
  t.false(searcher('^(a+)+$')(`${text}!`))
  t.false(searcher('^(a|a?)+b')(text))
  t.true(searcher('(x+x+)+y|a$')(text))
  t.false(searcher('(.*){1,30}z$')(text.slice(0, 500)))
})

test('searcher() agrees with the engine of JavaScript on what both know', t => {
  const atom = fc.constantFrom(
    'a',
    'b',
    '.',
    '[ab]',
    '[^a]',
    '^',
    '$',
    '\\w',
    '\\D',
    '\\b',
    '(?:ab)',
    '(a|b)',
    '(|b)',
  )
  const count = fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,2}', '*?')
  const piece = fc.tuple(atom, count).map(([a, c]) => (/^(\^|\$|\\b)$/.test(a) ? a : a + c))
  const pattern = fc.array(fc.oneof(piece, fc.constant('|')), { maxLength: 8 }).map(pieces => pieces.join(''))
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', '1', '😀'), maxLength: 8 })
  fc.assert(
    fc.property(pattern, text, (p, s) => searcher(p)(s) === new RegExp(p, 'u').test(s)),
    { numRuns: 5000 },
  )
  t.pass()
})

test('searcher() takes any pattern without an error', t => {
  const unit = fc.constantFrom(...'ab()[]{}^$*+?|\\.-:<>P=!,0123ipsdwQExz牛😀')
  fc.assert(
    fc.property(
      fc.string({ unit, maxLength: 24 }),
      pattern => typeof searcher(pattern)('ab12') === 'boolean',
    ),
    { numRuns: 5000 },
  )
  t.pass()
})

test('searcher() gives up on patterns and texts that together are too much', t => {
  const text = `${'a'.repeat(100_000)}b`
  t.true(searcher('b$')(text))
  t.false(searcher('(?:a{0,30}){0,30}b$')(text))
})
