import type { CharTest } from './regexp-class.ts'

/** A place between two characters, given as code points; `undefined` beyond either end of the text. */
export type Assertion = (before: number | undefined, after: number | undefined) => boolean

/** A parsed regular expression. Groups leave no trace, for nobody asks what they matched. */
export type Node =
  | { readonly kind: 'char'; readonly test: CharTest }
  | { readonly kind: 'assert'; readonly holds: Assertion }
  | { readonly kind: 'concat' | 'alternate'; readonly items: readonly Node[]; readonly times: number }
  | {
      readonly kind: 'repeat'
      readonly item: Node
      readonly min: number
      readonly max: number
      readonly times: number
    }

/** Text that is no regular expression. It never leaves this folder: such a filter matches nothing. */
export class PatternError extends Error {
  override readonly name = 'PatternError'
}

const maxRepeat = 1000

/** The code point that ends a line. */
export const newline = 10

const isWord = (code: number | undefined): boolean =>
  code !== undefined && code < 128 && /\w/.test(String.fromCharCode(code))

const atBoundary: Assertion = (before, after) => isWord(before) !== isWord(after)

/** `^`: at the begin of the text. */
export const textStart: Assertion = before => before === undefined

/** `$`: at the end of the text; not, as in Perl, before a last newline. */
export const textEnd: Assertion = (_, after) => after === undefined

/** `^` under the flag `m`. */
export const lineStart: Assertion = before => before === undefined || before === newline

/** `$` under the flag `m`. */
export const lineEnd: Assertion = (_, after) => after === undefined || after === newline

/** The assertions that are written as an escape, by its letter. */
export const assertions: Readonly<Record<string, Assertion>> = {
  A: textStart,
  z: textEnd,
  b: atBoundary,
  B: (before, after) => !atBoundary(before, after),
}

/** How often the compiler may have to write out what is inside a node. */
const timesOf = (node: Node): number => ('times' in node ? node.times : 1)

/** Nodes one after the other, or one of them. */
export const several = (kind: 'concat' | 'alternate', items: readonly Node[]): Node => ({
  kind,
  items,
  times: items.reduce((most, item) => Math.max(most, timesOf(item)), 1),
})

/**
 * A node from `min` to `max` times.
 *
 * @throws PatternError  more than 1000 times, counting repetitions around it
 */
export function repeated(item: Node, min: number, max: number): Node {
  const times = timesOf(item) * Math.max(1, min, max === Number.POSITIVE_INFINITY ? 0 : max)
  if (times > maxRepeat || max < min) throw new PatternError('bad repeat size')
  return { kind: 'repeat', item, min, max, times }
}
