import test from 'ava'
import { Scanner } from '../../src/filters/scanner.ts'

type Expected = ReadonlyArray<readonly [kind: string, at: number, text: string]>

const scans = test.macro<[input: string, expected: Expected, error?: string]>({
  exec(t, input, expected, error = '') {
    const scanner = new Scanner(input)
    const tokens: Array<readonly [string, number, string]> = []
    let token = scanner.scan()
    for (; token.kind !== 'end'; token = scanner.scan()) tokens.push([token.kind, token.at, token.text])
    t.deepEqual(tokens, expected)
    t.is(token.at, input.length)
    t.is(scanner.scan().kind, 'end')
    t.is(scanner.error, error)
  },
  title: (_, input) => `Scanner reads ${JSON.stringify(input)}`,
})

test(scans, '', [])
test(scans, 'name', [['field', 0, 'name']])
test(scans, 'name==value,foo!=bar', [
  ['field', 0, 'name'],
  ['operator', 4, '=='],
  ['value', 6, 'value'],
  ['separator', 11, ','],
  ['field', 12, 'foo'],
  ['operator', 15, '!='],
  ['value', 17, 'bar'],
])
test(scans, 'labels.foo=value', [
  ['field', 0, 'labels'],
  ['separator', 6, '.'],
  ['field', 7, 'foo'],
  ['operator', 10, '='],
  ['value', 11, 'value'],
])
test(scans, 'name~=[abc]\\+,foo', [
  ['field', 0, 'name'],
  ['operator', 4, '~='],
  ['value', 6, '[abc]\\+'],
  ['separator', 13, ','],
  ['field', 14, 'foo'],
])
test(scans, 'name~=/[abc]{0,2}/,a', [
  ['field', 0, 'name'],
  ['operator', 4, '~='],
  ['quoted', 6, '/[abc]{0,2}/'],
  ['separator', 18, ','],
  ['field', 19, 'a'],
])
test(scans, 'name~=牛,moo', [
  ['field', 0, 'name'],
  ['operator', 4, '~='],
  ['value', 6, '牛'],
  ['separator', 7, ','],
  ['field', 8, 'moo'],
])
test(scans, 'a~=|foo/bar|', [
  ['field', 0, 'a'],
  ['operator', 1, '~='],
  ['quoted', 3, '|foo/bar|'],
])
test(scans, 'a~=/foo\\/bar/', [
  ['field', 0, 'a'],
  ['operator', 1, '~='],
  ['quoted', 3, '/foo\\/bar/'],
])
test(scans, 'a~="x\\n\\tx"', [
  ['field', 0, 'a'],
  ['operator', 1, '~='],
  ['quoted', 3, '"x\\n\\tx"'],
])
test(
  scans,
  'foo\0bar',
  [
    ['field', 0, 'foo'],
    ['illegal', 3, ''],
    ['field', 4, 'bar'],
  ],
  'unexpected null',
)
test(
  scans,
  'foo\ufffd',
  [
    ['field', 0, 'foo'],
    ['illegal', 3, ''],
  ],
  'rune error',
)
test(scans, 'foo = bar    ', [
  ['field', 0, 'foo'],
  ['operator', 4, '='],
  ['value', 6, 'bar'],
])
test(scans, 'a==b_c.d-e', [
  ['field', 0, 'a'],
  ['operator', 1, '=='],
  ['value', 3, 'b_c.d-e'],
])
test(scans, 'v=value value', [
  ['field', 0, 'v'],
  ['operator', 1, '='],
  ['value', 2, 'value'],
  ['field', 8, 'value'],
])
test(scans, '"leading quote".post', [
  ['quoted', 0, '"leading quote"'],
  ['separator', 15, '.'],
  ['field', 16, 'post'],
])
test(scans, 'input==,id', [
  ['field', 0, 'input'],
  ['operator', 5, '=='],
  ['separator', 7, ','],
  ['field', 8, 'id'],
])
test(scans, 'a?', [
  ['field', 0, 'a'],
  ['other', 1, ''],
])
test(
  scans,
  'io/key==v',
  [
    ['field', 0, 'io'],
    ['illegal', 2, '/key==v'],
  ],
  'quoted literal not terminated',
)
test(
  scans,
  'l."c\nkey',
  [
    ['field', 0, 'l'],
    ['separator', 1, '.'],
    ['illegal', 2, '"c\n'],
    ['field', 5, 'key'],
  ],
  'quoted literal not terminated',
)
test(scans, '"\\g"', [['illegal', 0, '"\\g"']], 'illegal escape sequence')
test(scans, '"\\xaz"', [['illegal', 0, '"\\xaz"']], 'illegal numeric escape sequence')
test(scans, '"\\u12"', [['illegal', 0, '"\\u12"']], 'illegal numeric escape sequence')
test(
  scans,
  '"\\U0001F600\\07\\377"',
  [['illegal', 0, '"\\U0001F600\\07\\377"']],
  'illegal numeric escape sequence',
)
