/** Units of a timeout, in milliseconds. */
const units: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
}

/** Milliseconds of a `grpc-timeout` header; `undefined`: there is none, or it is none. */
export function timeoutOf(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? []
  const factor = units[unit]
  return factor === undefined ? undefined : Number(digits) * factor
}

/** A text for `grpc-message`: what is not printable ASCII, and `%`, as percent and two digits. */
export const encodeText = (text: string): string =>
  text.replace(/\p{Surrogate}/gu, '\ufffd').replace(/[^ -$&-~]+/g, encodeURIComponent)

/** The first value of a header, of those that came as `[name, value, name, value, …]`; `''` when there is none. */
export function firstOf(raw: readonly string[], name: string): string {
  for (let at = 0; at < raw.length; at += 2) if (raw[at] === name) return raw[at + 1] ?? ''
  return ''
}

/** The text of a `grpc-message`; what is no escape in it stays as it is. */
export function decodeText(text: string): string {
  if (!text.includes('%')) return text
  const bytes = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString()
}
