/** Tells whether a character, by its code point, is in a class. */
export type CharTest = (code: number) => boolean

/** Part of a class: an inclusive range of code points, or the name of a Unicode property. */
export type ClassItem =
  | { readonly from: number; readonly to: number }
  | { readonly property: string; readonly negated: boolean }

const ranges = (...pairs: readonly string[]): readonly ClassItem[] =>
  pairs.map(pair => ({ from: pair.charCodeAt(0), to: pair.charCodeAt(pair.length - 1) }))

/** `\d`, `\s` and `\w`: ASCII only, as RE2 has them. */
export const perlClasses: Readonly<Record<string, readonly ClassItem[]>> = {
  d: ranges('09'),
  s: ranges('\t\n', '\f\r', ' '),
  w: ranges('09', 'AZ', '_', 'az'),
}

/** What `[[:name:]]` stands for. */
export const posixClasses: Readonly<Record<string, readonly ClassItem[]>> = {
  alnum: ranges('09', 'AZ', 'az'),
  alpha: ranges('AZ', 'az'),
  ascii: ranges('\0\x7f'),
  blank: ranges('\t', ' '),
  cntrl: ranges('\0\x1f', '\x7f'),
  digit: ranges('09'),
  graph: ranges('!~'),
  lower: ranges('az'),
  print: ranges(' ~'),
  punct: ranges('!/', ':@', '[`', '{~'),
  space: ranges('\t\r', ' '),
  upper: ranges('AZ'),
  word: ranges('09', 'AZ', 'az', '_'),
  xdigit: ranges('09', 'AF', 'af'),
}

/** Everything that `items`, ranges in rising order, leave out. */
export function complement(items: readonly ClassItem[]): readonly ClassItem[] {
  const rest: ClassItem[] = []
  let from = 0
  for (const item of items) {
    if (!('from' in item)) continue
    if (item.from > from) rest.push({ from, to: item.from - 1 })
    from = item.to + 1
  }
  return [...rest, { from, to: 0x10ffff }]
}

/** The property that RE2 calls `name`, a general category or a script; `undefined` when there is none. */
export function unicodeProperty(name: string, negated: boolean): ClassItem | undefined {
  for (const property of [name, `Script=${name}`]) {
    if (
      property === name &&
      !/^(?:Any|C[cfos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?)$/.test(name)
    )
      continue
    try {
      new RegExp(`\\p{${property}}`, 'u')
      return { property, negated }
    } catch {
      // No script by that name; `Script=` also keeps other syntax out.
    }
  }
  return undefined
}

/** A test for a class. ASCII is answered from a table, the rest by the engine's own Unicode data. */
export function classTest(items: readonly ClassItem[], negated: boolean, fold: boolean): CharTest {
  const source = new RegExp(`^[${items.map(itemSource).join('')}]$`, fold ? 'iu' : 'u')
  const test = (code: number): boolean => source.test(String.fromCodePoint(code)) !== negated
  const ascii = Array.from({ length: 128 }, (_, code) => test(code))
  return code => ascii[code] ?? test(code)
}

const itemSource = (item: ClassItem): string =>
  'from' in item
    ? `\\u{${item.from.toString(16)}}-\\u{${item.to.toString(16)}}`
    : `\\${item.negated ? 'P' : 'p'}{${item.property}}`
