/** What a token is. `other` is a character that begins none; `text` is then empty. */
export type TokenKind = 'field' | 'value' | 'quoted' | 'operator' | 'separator' | 'illegal' | 'other' | 'end'

/** One token; `at` is its first place in the input, in UTF-16 units. A quoted one keeps its quotes and escapes. */
export interface Token {
  readonly kind: TokenKind
  readonly at: number
  readonly text: string
}

/** What the scanner sees at the end of its input, and in place of a character that may not be in a filter. */
export const end = ''
const illegal = '\0'

const escapes = new Set(['a', 'b', 'f', 'n', 'r', 't', 'v', '\\'])

const isQuote = (char: string): boolean => char === '"' || char === '/' || char === '|'
const isSeparator = (char: string): boolean => char === ',' || char === '.'
const isOperator = (char: string): boolean => char === '=' || char === '!' || char === '~'
const isField = (char: string): boolean => /^[A-Za-z0-9_]$/.test(char)
const isSpace = (char: string): boolean => /^\p{White_Space}$/u.test(char)
const isValue = (char: string): boolean =>
  char !== ',' && !isSpace(char) && /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]$/u.test(char)

/**
 * The tokens of a filter, one at each `scan()`.
 *
 * What a word is depends on what stood before it: after an operator a value, else a field. `/` and `|` open a
 * quotation wherever a token may begin, which is why a label key with a slash must be quoted.
 *
 * @see containerd pkg/filters/scanner.go
 */
export class Scanner {
  readonly #input: string
  /** Where the next character is. */
  #next = 0
  /** Where the character taken last is; the end of the input once that is reached. */
  #at = 0
  #afterOperator = false
  #error = ''

  constructor(input: string) {
    this.#input = input
  }

  /** The first thing that was wrong, for a token that is `illegal`. */
  get error(): string {
    return this.#error
  }

  /** Where the next token may begin. */
  get position(): number {
    return this.#next
  }

  /** The next character, `end` when there is none; blanks are not skipped. */
  peek(): string {
    const [next, at] = [this.#next, this.#at]
    const char = this.#take()
    this.#next = next
    this.#at = at
    return char
  }

  /** The next token; blanks before it are skipped. */
  scan(): Token {
    let char = this.#take()
    while (char !== end && isSpace(char)) char = this.#take()
    const start = this.#at
    const token = (kind: TokenKind): Token => ({
      kind,
      at: start,
      text: this.#input.slice(start, this.#next),
    })
    if (char === end) return { kind: 'end', at: start, text: '' }
    if (char === illegal) return { kind: 'illegal', at: start, text: '' }
    if (isQuote(char)) return this.#quoted(char) ? token('quoted') : token('illegal')
    if (isSeparator(char)) {
      this.#afterOperator = false
      return token('separator')
    }
    if (isOperator(char)) {
      this.#skip(isOperator)
      this.#afterOperator = true
      return token('operator')
    }
    if (this.#afterOperator) {
      this.#skip(isValue)
      this.#afterOperator = false
      return token('value')
    }
    if (!isField(char)) return { kind: 'other', at: start, text: '' }
    this.#skip(isField)
    return token('field')
  }

  #take(): string {
    this.#at = this.#next
    const code = this.#input.codePointAt(this.#next)
    if (code === undefined) return end
    this.#next += code > 0xffff ? 2 : 1
    if (code === 0) return this.#fail('unexpected null')
    // Go reads U+FFFD as a decoding error; a lone surrogate has no UTF-8 at all.
    if (code === 0xfffd || (code >= 0xd800 && code <= 0xdfff)) return this.#fail('rune error')
    return String.fromCodePoint(code)
  }

  #fail(why: string): string {
    this.#error ||= why
    return illegal
  }

  #skip(test: (char: string) => boolean): void {
    for (let char = this.peek(); char !== end && test(char); char = this.peek()) this.#take()
  }

  #quoted(quote: string): boolean {
    let legal = true
    let char = this.#take()
    while (char !== quote) {
      if (char === '\n' || char === end || char === illegal) {
        this.#fail('quoted literal not terminated')
        return false
      }
      if (char === '\\') {
        const taken = this.#escape(quote)
        legal &&= taken.legal
        char = taken.after
      } else {
        char = this.#take()
      }
    }
    return legal
  }

  /** Takes an escape, and the character after it, which may be the closing quote. */
  #escape(quote: string): { readonly legal: boolean; readonly after: string } {
    const char = this.#take()
    if (char === quote || escapes.has(char)) return { legal: true, after: this.#take() }
    if (/^[0-7]$/.test(char)) return this.#digits(char, /^[0-7]$/, 3)
    if (char === 'x') return this.#digits(this.#take(), /^[0-9a-fA-F]$/, 2)
    if (char === 'u') return this.#digits(this.#take(), /^[0-9a-fA-F]$/, 4)
    if (char === 'U') return this.#digits(this.#take(), /^[0-9a-fA-F]$/, 8)
    this.#fail('illegal escape sequence')
    return { legal: false, after: char }
  }

  #digits(first: string, digit: RegExp, count: number): { readonly legal: boolean; readonly after: string } {
    let [char, left] = [first, count]
    for (; left > 0 && digit.test(char); left--) char = this.#take()
    if (left > 0) this.#fail('illegal numeric escape sequence')
    return { legal: left === 0, after: char }
  }
}
