import type { Writable } from 'node:stream'

/** Writes a command's data to stdout and its remarks to stderr. */
export interface Output {
  /** One line of data. */
  line(text: string): void
  /** Raw bytes of data; resolves when the reader wants more. */
  bytes(chunk: Uint8Array): Promise<void>
  /** One JSON document. */
  json(value: unknown): void
  /** Rows under a header, columns padded as `ctr` pads them. */
  table(header: readonly string[], rows: readonly (readonly string[])[]): void
  /** One line for people, on stderr. */
  note(text: string): void
}

/** An output over two streams. A reader that goes away (`| head`) ends the program quietly; see main.ts. */
export function createOutput(
  stdout: Writable,
  stderr: { readonly write: (text: string) => unknown },
): Output {
  const line = (text: string): void => void stdout.write(`${printableLine(text)}\n`)
  return {
    line,
    bytes: chunk =>
      new Promise((resolve, reject) => stdout.write(chunk, error => (error ? reject(error) : resolve()))),
    json: value => void stdout.write(`${toJson(value, 2)}\n`),
    // In one piece: a write for each line would cost more than all the rest of a long table.
    table: (header, rows) => void stdout.write(`${formatTable([header, ...rows]).join('\n')}\n`),
    note: text => void stderr.write(`${printable(text)}\n`),
  }
}

/** Text without the control characters that a name out of a registry could drive a terminal with. */
export const printable = (text: string): string =>
  isPlain(text) ? text : text.replace(/[^\P{C}\n\t]/gu, found => `\\u{${found.codePointAt(0)?.toString(16)}}`)

/** Nearly all text is; looking for classes of Unicode takes a hundred times as long. */
const isPlain = (text: string): boolean => /^[ -~]*$/.test(text)

/** As `printable`, and of one line: a name with a line break in it must not pass for two. */
export const printableLine = (text: string): string =>
  isPlain(text) ? text : printable(text).replace(/[\n\t]/g, found => (found === '\n' ? '\\n' : '\\t'))

/** JSON with every character escaped that could drive a terminal; `JSON.stringify` escapes only those below U+0020. */
export const toJson = (value: unknown, indent?: number): string => {
  const text = JSON.stringify(value, undefined, indent)
  if (/^[ -~\n]*$/.test(text)) return text
  return text.replace(/[^\P{C}\n]/gu, found =>
    Array.from({ length: found.length }, (_, at) => found.charCodeAt(at))
      .map(unit => `\\u${unit.toString(16).padStart(4, '0')}`)
      .join(''),
  )
}

/** Each column as wide as its widest cell and one space; nothing after the last. */
export function formatTable(cells: readonly (readonly string[])[]): readonly string[] {
  // One look at a whole row: nearly all are plain.
  const rows = cells.map(row => (isPlain(row.join('')) ? row : row.map(printableLine)))
  const widths: number[] = []
  for (const row of rows) {
    for (let at = 0; at < row.length; at++) widths[at] = Math.max(widths[at] ?? 0, (row[at]?.length ?? 0) + 1)
  }
  return rows.map(row =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('')
      .trimEnd(),
  )
}

const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** Bytes as `ctr images list` prints them: base 1024, one decimal. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < binaryUnits.length - 1) {
    value /= 1024
    unit++
  }
  return `${value.toFixed(1)} ${binaryUnits[unit]}`
}

const decimalUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const

/** Bytes as `ctr content list` prints them: base 1000, four significant digits. */
export function formatDecimalBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < decimalUnits.length - 1) {
    value /= 1000
    unit++
  }
  return `${Number(value.toPrecision(4))}${decimalUnits[unit]}`
}

/** How long ago, in the words that `ctr` uses. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < 60) return `${seconds} seconds`
  const minutes = Math.floor(seconds / 60)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  const hours = Math.round(milliseconds / 3_600_000)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`
  return `${Math.floor(hours / 24 / 365)} years`
}

/** Labels as `k=v`, sorted by key and joined by commas; `-` for none. */
export const formatLabels = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',') || '-'
