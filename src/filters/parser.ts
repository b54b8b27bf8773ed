import { OrlopError } from '../errors.ts'
import { end, Scanner } from './scanner.ts'
import { unquote } from './unquote.ts'

/** How a selector tests its field; `present` stands for no operator. */
export type Operator = 'present' | '==' | '!=' | '~='

/** One `fieldpath operator value` of a filter; `value` is `''` for `present`. */
export interface Selector {
  readonly path: readonly string[]
  readonly operator: Operator
  readonly value: string
}

/**
 * The selectors of one filter, all of which must hold; none for the empty filter.
 *
 *     filter   = [ selector *( "," selector ) ]
 *     selector = field *( "." field ) [ operator value ]
 *     operator = "==" | "!=" | "~="
 *     field    = 1*( letter | digit | "_" ) | quoted
 *     value    = 1*( anything visible but "," ) | quoted
 *     quoted   = a Go string in "…"; after "~=" also in /…/ or |…|
 *
 * @throws INVALID_ARGUMENT  anything else, in containerd's words: `filters: parse error: [name >|=|< x]: …`
 * @see containerd pkg/filters/parser.go
 */
export function parseSelectors(text: string): readonly Selector[] {
  if (text === '') return []
  const scanner = new Scanner(text)
  const fail: Fail = (at, why) => {
    throw new OrlopError('INVALID_ARGUMENT', `filters: parse error: ${pointer(text, at)}: ${why}`)
  }
  const selectors = [readSelector(scanner, fail)]
  for (let next = scanner.peek(); next !== end; next = scanner.peek()) {
    if (next !== ',') fail(scanner.position, `unexpected input: ${next === '\0' ? '\ufffd' : next}`)
    scanner.scan()
    selectors.push(readSelector(scanner, fail))
  }
  return selectors
}

type Fail = (at: number, why: string) => never

const pointer = (text: string, at: number): string => {
  const code = text.codePointAt(at)
  if (code === undefined) return `[${text}]`
  const char = String.fromCodePoint(code)
  return `[${text.slice(0, at)} >|${char}|< ${text.slice(at + char.length)}]`
}

const readSelector = (scanner: Scanner, fail: Fail): Selector => {
  const path = [readField(scanner, fail)]
  while (scanner.peek() === '.') {
    scanner.scan()
    path.push(readField(scanner, fail))
  }
  const next = scanner.peek()
  if (next === ',' || next === end) return { path, operator: 'present', value: '' }
  const operator = readOperator(scanner, fail)
  return { path, operator, value: readValue(scanner, fail, operator === '~=') }
}

const readField = (scanner: Scanner, fail: Fail): string => {
  const { kind, at, text } = scanner.scan()
  if (kind === 'field') return text
  if (kind === 'quoted') return unquoted(text, at, fail, false)
  return fail(at, kind === 'illegal' ? scanner.error : 'expected field or quoted')
}

const readOperator = (scanner: Scanner, fail: Fail): Operator => {
  const { kind, at, text } = scanner.scan()
  if (kind === 'illegal') return fail(at, scanner.error)
  if (kind !== 'operator') return fail(at, 'expected an operator ("=="|"!="|"~=")')
  if (text === '==' || text === '!=' || text === '~=') return text
  return fail(at, `unsupported operator "${text}"`)
}

const readValue = (scanner: Scanner, fail: Fail, alsoSlashes: boolean): string => {
  const { kind, at, text } = scanner.scan()
  if (kind === 'value' || kind === 'field') return text
  if (kind === 'quoted') return unquoted(text, at, fail, alsoSlashes)
  return fail(at, kind === 'illegal' ? scanner.error : 'expected value or quoted')
}

const unquoted = (text: string, at: number, fail: Fail, alsoSlashes: boolean): string => {
  if (!alsoSlashes && !text.startsWith('"')) return fail(at, 'invalid quote encountered')
  return unquote(text) ?? fail(at, 'unquoting failed: quote syntax error')
}
