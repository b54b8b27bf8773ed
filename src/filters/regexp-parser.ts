import {
  type ClassItem,
  classTest,
  complement,
  perlClasses,
  posixClasses,
  unicodeProperty,
} from './regexp-class.ts'
import {
  assertions,
  lineEnd,
  lineStart,
  type Node,
  newline,
  PatternError,
  repeated,
  several,
  textEnd,
  textStart,
} from './regexp-node.ts'

const maxDepth = 1000

const controls: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 }

/** Reads RE2's syntax in the flavour of Go's regexp package. @see https://github.com/google/re2/wiki/Syntax */
export class PatternParser {
  readonly #chars: readonly string[]
  readonly #names = new Set<string>()
  #at = 0
  #depth = 0
  #flags = { i: false, m: false, s: false, U: false }

  constructor(pattern: string) {
    this.#chars = [...pattern]
  }

  /** @throws PatternError  when it is not a regular expression of RE2's */
  parse(): Node {
    const node = this.#alternation()
    if (this.#at < this.#chars.length) throw new PatternError('unexpected )')
    return node
  }

  #peek(): string {
    return this.#chars[this.#at] ?? ''
  }

  #take(): string {
    const char = this.#chars[this.#at++]
    if (char === undefined) throw new PatternError('unexpected end')
    return char
  }

  /** Goes past what `source`, a sticky expression, finds here. */
  #match(source: RegExp): RegExpExecArray | undefined {
    const found = source.exec(this.#chars.slice(this.#at, this.#at + 200).join(''))
    if (found === null) return undefined
    this.#at += [...found[0]].length
    return found
  }

  #alternation(): Node {
    const items = [this.#concatenation()]
    while (this.#peek() === '|') {
      this.#at++
      items.push(this.#concatenation())
    }
    return several('alternate', items)
  }

  #concatenation(): Node {
    const items: Node[] = []
    while (this.#at < this.#chars.length && this.#peek() !== '|' && this.#peek() !== ')') {
      const count = this.#count()
      const atoms = count === undefined ? this.#atoms() : []
      const last = atoms.at(-1)
      if (count !== undefined) throw new PatternError('nothing to repeat')
      items.push(...atoms.slice(0, -1), ...(last ? [this.#repeated(last)] : []))
    }
    return several('concat', items)
  }

  #repeated(item: Node): Node {
    const count = this.#count()
    if (count === undefined) return item
    if (this.#peek() === '?') this.#at++
    if (this.#count() !== undefined) throw new PatternError('nested repetition')
    return repeated(item, count.min, count.max)
  }

  #count(): { readonly min: number; readonly max: number } | undefined {
    const [text, min = '', comma, max = ''] = this.#match(/^(?:[*+?]|\{(\d+)(,?)(\d*)\})/) ?? []
    if (text === undefined) return undefined
    if (text === '*') return { min: 0, max: Number.POSITIVE_INFINITY }
    if (text === '+') return { min: 1, max: Number.POSITIVE_INFINITY }
    if (text === '?') return { min: 0, max: 1 }
    const least = Number(min)
    if (comma === '') return { min: least, max: least }
    return { min: least, max: max === '' ? Number.POSITIVE_INFINITY : Number(max) }
  }

  #atoms(): readonly Node[] {
    const char = this.#take()
    switch (char) {
      case '(':
        return this.#group()
      case '[':
        return [this.#class()]
      case '.':
        return [this.#any()]
      case '^':
        return [{ kind: 'assert', holds: this.#flags.m ? lineStart : textStart }]
      case '$':
        return [{ kind: 'assert', holds: this.#flags.m ? lineEnd : textEnd }]
      case '\\':
        return this.#escaped()
      default:
        return [this.#literal(char.codePointAt(0) ?? 0)]
    }
  }

  #any(): Node {
    return { kind: 'char', test: this.#flags.s ? () => true : code => code !== newline }
  }

  #literal(code: number): Node {
    if (this.#flags.i) return { kind: 'char', test: classTest([{ from: code, to: code }], false, true) }
    return { kind: 'char', test: other => other === code }
  }

  #group(): readonly Node[] {
    const saved = { ...this.#flags }
    if (this.#peek() === '?') {
      const name = this.#match(/^\?P?<(\w+)>/)?.[1]
      if (name === undefined) {
        if (!this.#setFlags()) return []
      } else if (this.#names.has(name)) throw new PatternError('name used twice')
      else this.#names.add(name)
    }
    if (++this.#depth > maxDepth) throw new PatternError('nested too deep')
    const inner = this.#alternation()
    this.#depth--
    if (this.#take() !== ')') throw new PatternError('missing )')
    this.#flags = saved
    return [inner]
  }

  /** True when a group follows the flags; without one they hold to the end of the group around. */
  #setFlags(): boolean {
    const [, on = '', minus, off = '', close] = this.#match(/^\?([imsU]*)(-?)([imsU]*)([:)])/) ?? []
    if (close === undefined || (minus === '-') !== off.length > 0) throw new PatternError('bad flags')
    const flags = { ...this.#flags }
    for (const flag of ['i', 'm', 's', 'U'] as const) {
      if (on.includes(flag)) flags[flag] = true
      if (off.includes(flag)) flags[flag] = false
    }
    this.#flags = flags
    return close === ':'
  }

  #escaped(): readonly Node[] {
    const next = this.#peek()
    const assertion = Object.hasOwn(assertions, next) ? assertions[next] : undefined
    if (assertion) {
      this.#at++
      return [{ kind: 'assert', holds: assertion }]
    }
    if (next === 'Q') return this.#quotation()
    const items = this.#namedClass()
    if (items) return [{ kind: 'char', test: classTest(items, false, this.#flags.i) }]
    return [this.#literal(this.#escapedChar())]
  }

  #quotation(): readonly Node[] {
    const text = this.#chars.slice(++this.#at).join('')
    const [literal = ''] = text.split('\\E', 1)
    const codes = [...literal].map(char => char.codePointAt(0) ?? 0)
    this.#at += codes.length + (literal === text ? 0 : 2)
    return codes.map(code => this.#literal(code))
  }

  /** What follows a backslash as a class: `d`, `W`, `pL`, `P{Greek}`; `undefined` when it is not one. */
  #namedClass(): readonly ClassItem[] | undefined {
    const perl = this.#match(/^[dswDSW]/)?.[0]
    if (perl !== undefined) {
      const items = perlClasses[perl.toLowerCase()] ?? []
      return perl === perl.toLowerCase() ? items : complement(items)
    }
    const [text, sign, caret, long, short] = this.#match(/^([pP])(?:\{(\^?)([A-Za-z_]+)\}|([A-Za-z]))/) ?? []
    if (text === undefined) return undefined
    const property = unicodeProperty(long ?? short ?? '', (sign === 'P') !== (caret === '^'))
    if (property === undefined) throw new PatternError('no such property')
    return [property]
  }

  #escapedChar(): number {
    const [text, octal, hex, braced] =
      this.#match(/^(?:(0[0-7]{0,2}|[1-7][0-7]{1,2})|x([0-9a-fA-F]{2})|x\{([0-9a-fA-F]+)\})/) ?? []
    if (text !== undefined) {
      const code = octal !== undefined ? Number.parseInt(octal, 8) : Number.parseInt(hex ?? braced ?? '', 16)
      if (code > 0x10ffff) throw new PatternError('no such character')
      return code
    }
    const char = this.#take()
    const control = Object.hasOwn(controls, char) ? controls[char] : undefined
    if (control !== undefined) return control
    const code = char.codePointAt(0) ?? 0
    if (code >= 128 || /[A-Za-z0-9]/.test(char)) throw new PatternError('no such escape')
    return code
  }

  #class(): Node {
    const negated = this.#match(/^\^/) !== undefined
    const items: ClassItem[] = []
    for (let first = true; first || this.#peek() !== ']'; first = false) items.push(...this.#classItem())
    this.#at++
    return { kind: 'char', test: classTest(items, negated, this.#flags.i) }
  }

  #classItem(): readonly ClassItem[] {
    const [posix, caret, name] = this.#match(/^\[:(\^?)([^\]]*?):\]/) ?? []
    if (posix !== undefined) {
      const items = Object.hasOwn(posixClasses, name ?? '') ? posixClasses[name ?? ''] : undefined
      if (items === undefined) throw new PatternError('no such class')
      return caret === '^' ? complement(items) : items
    }
    if (this.#peek() === '\\') {
      this.#at++
      const items = this.#namedClass()
      if (items) return items
      this.#at--
    }
    const from = this.#classChar()
    if (this.#peek() !== '-' || this.#chars[this.#at + 1] === ']') return [{ from, to: from }]
    this.#at++
    const to = this.#classChar()
    if (to < from) throw new PatternError('bad range')
    return [{ from, to }]
  }

  #classChar(): number {
    const char = this.#take()
    return char === '\\' ? this.#escapedChar() : (char.codePointAt(0) ?? 0)
  }
}
