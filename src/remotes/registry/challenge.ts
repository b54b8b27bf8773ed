/** One way in that a server offers. */
export interface Challenge {
  /** Lower case: `basic`, `bearer`, … */
  readonly scheme: string
  /** By lower-case name. */
  readonly parameters: ReadonlyMap<string, string>
}

/**
 * The challenges of WWW-Authenticate headers, in order; malformed parts are dropped, the rest still counts.
 *
 * @param headers  every value of the header; each may hold several challenges
 * @see RFC 9110, 11.6.1
 */
export const parseChallenges = (headers: readonly string[]): readonly Challenge[] =>
  headers.flatMap(parseHeader)

const word = /[\w!#$%&'*+.^`|~-]+/y
/** A value without quotes ends at a comma, at the end, or before another assignment. */
const assignment =
  /([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+)(?=\s*(?:,|$)|\s+[\w!#$%&'*+.^`|~-]+\s*=))/y
const token68 = /[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y
const gap = /[\s,]+/y
/** What cannot be read, up to the next comma; a quoted part may hold commas. */
const junk = /(?:"(?:[^"\\]|\\.)*"|[^,"]|")(?:"(?:[^"\\]|\\.)*"|[^,"])*/y

function parseHeader(header: string): Challenge[] {
  const challenges: Array<{ scheme: string; parameters: Map<string, string> }> = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(header)
    if (found) at = pattern.lastIndex
    return found
  }
  while (at < header.length) {
    if (take(gap)) continue
    const found = take(assignment)
    if (found) {
      const [, name = '', quoted, bare = ''] = found
      const value = quoted === undefined ? bare : quoted.replaceAll(/\\(.)/g, '$1')
      const parameters = challenges.at(-1)?.parameters
      // Of two equal parameters the first counts, so that nothing appended can change it.
      if (parameters && !parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value)
      continue
    }
    const start = at
    const scheme = take(word)?.[0]
    if (scheme !== undefined && (at === header.length || /[\s,]/.test(header[at] ?? ''))) {
      challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() })
      const afterScheme = at
      if (take(/[ \t]+/y) && !take(token68)) at = afterScheme
      continue
    }
    at = start
    if (!take(junk)) at++
  }
  return challenges
}
