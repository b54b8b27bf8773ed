import { InvalidArgumentError } from 'commander'
import { OrlopError } from '../errors.ts'
import { only } from '../oci/matcher.ts'
import { formatPlatformAll, parsePlatform } from '../oci/platform.ts'
import type { RateBudget } from '../remotes/registry/host-limits.ts'
import { hostWanted, type Wanted } from '../runtime/select.ts'

/** For options that may be given more than once. */
export const collect = (value: string, previous: readonly string[] = []): readonly string[] => [
  ...previous,
  value,
]

/** A whole number of at least 1. */
export function count(value: string): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('Give a whole number, 1 or more.')
  return number
}

/** Bytes: a whole number of at least 0. */
export function byteCount(value: string): number {
  const number = Number(value)
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number)) {
    throw new InvalidArgumentError('Give a whole number of bytes.')
  }
  return number
}

/** Bytes with a unit: `500MB` and `2GB` count in thousands, `500M`, `2G`, `500MiB` and `2GiB` in 1024. */
export function size(value: string): number {
  const found = /^(\d+(?:\.\d+)?) ?(?:([kKMGT])(B|iB)?|B)?$/.exec(value)
  const [, number, unit, kind] = found ?? []
  const power = unit === undefined ? 0 : 'KMGT'.indexOf(unit.toUpperCase()) + 1
  const bytes = Math.ceil(Number(number) * (kind === 'B' ? 1000 : 1024) ** power)
  if (!Number.isSafeInteger(bytes))
    throw new InvalidArgumentError('Give a size like 1500000, 500MB or 20GiB.')
  return bytes
}

/** Room on a device: a size, or a part of it as `10%`. */
export function room(value: string): { readonly bytes: number } | { readonly part: number } {
  const [, percent] = /^(\d+(?:\.\d+)?)%$/.exec(value) ?? []
  if (percent === undefined) return { bytes: size(value) }
  if (Number(percent) > 100) throw new InvalidArgumentError('Give 100% or less.')
  return { part: Number(percent) / 100 }
}

/** A duration as Go and `ctr` write it, `90s`, `24h`, `1h30m`, in milliseconds; `0` is none. */
export function duration(value: string): number {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  if (value === '0') return 0
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(value)) {
    throw new InvalidArgumentError('Give a duration like 90s, 24h or 1h30m.')
  }
  let total = 0
  for (const [, number, unit = ''] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(number) * (units[unit] ?? 0)
  }
  return Math.round(total)
}

/** So many requests in a time, as `100/1m` and `5/s`. */
export function requestRate(value: string): RateBudget {
  const [, requests = '', time = ''] = /^(\d+)\/(.+)$/.exec(value) ?? []
  const perMs = /^(?:\d+(?:\.\d+)?)?(?:ms|s|m|h)$/.test(time) ? duration(time.replace(/^(?=[a-z])/, '1')) : 0
  if (!Number.isSafeInteger(Number(requests)) || Number(requests) < 1 || perMs < 1)
    throw new InvalidArgumentError('Give requests in a time, like 100/1m.')
  return { requests: Number(requests), perMs }
}

/** The platforms that `--platform` named; the host's when it named none. */
export function wantedPlatforms(texts: readonly string[] | undefined): readonly Wanted[] {
  if (texts === undefined || texts.length === 0) return [hostWanted()]
  return texts.map(text => {
    const platform = parsePlatform(text)
    return { matcher: only(platform), text: formatPlatformAll(platform) }
  })
}

/** `key=value` arguments as a change of labels; `key=` removes it and `key` alone is `key=true`, as in `ctr`. */
export function labelArguments(args: readonly string[] | undefined): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    (args ?? []).map(arg => {
      const at = arg.indexOf('=')
      const key = at < 0 ? arg : arg.slice(0, at)
      if (key === '')
        throw new OrlopError('INVALID_ARGUMENT', `label ${JSON.stringify(arg)}: give <key>=<value>`)
      const value = at < 0 ? 'true' : arg.slice(at + 1)
      return [key, value === '' ? null : value]
    }),
  )
}

/** Labels for something new: those of `labelArguments` that have a value. */
export const newLabels = (args: readonly string[] | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(labelArguments(args)).flatMap(([key, value]) => (value === null ? [] : [[key, value]])),
  )
