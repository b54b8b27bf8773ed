import { normalizePlatform, type Platform } from './platform.ts'

/** Processors of later versions are not known; a higher number is taken as it is. */
const highest = 32

/**
 * The platforms whose images run on `platform`, best first.
 *
 * amd64 runs its lower levels and 386; arm its lower versions down to v5; arm64 its lower versions and all of arm. A
 * version of arm64 that does not exist (v8.10, v10) runs nothing.
 *
 * @see containerd/platforms, platformVector
 */
export function compatiblePlatforms(platform: Platform): readonly Platform[] {
  const normal = normalizePlatform(platform)
  const { variant: _, ...base } = normal
  const as = (architecture: string, variant = ''): Platform =>
    Object.freeze({ ...base, architecture, ...(variant && { variant }) })
  switch (normal.architecture) {
    case 'amd64':
      return [normal, ...versionsBelow(normal.variant, 1).map(variant => as('amd64', variant)), as('386')]
    case 'arm':
      return [normal, ...versionsBelow(normal.variant, 5).map(variant => as('arm', variant))]
    case 'arm64': {
      const versions = arm64Versions(normal.variant ?? 'v8')
      if (versions.length === 0) return []
      return [
        ...versions.map(variant => as('arm64', variant)),
        ...['v8', 'v7', 'v6', 'v5'].map(variant => as('arm', variant)),
      ]
    }
    default:
      return [normal]
  }
}

/** From one below `variant` down to `last`. */
const versionsBelow = (variant = '', last: number): readonly string[] => {
  const version = Number(/^v?(\d{1,2})$/.exec(variant)?.[1] ?? 0)
  return version > highest ? [] : countDown(version - 1, last).map(number => `v${number}`)
}

const countDown = (from: number, to: number): readonly number[] =>
  Array.from({ length: Math.max(from - to + 1, 0) }, (_, index) => from - index)

const arm64Versions = (variant: string): readonly string[] => {
  const [, major, minor = '0'] = /^v([89])(?:\.(\d))?$/.exec(variant) ?? []
  const least = Number(minor)
  if (major === '8') return minors(8, least)
  // v9.0 grew out of v8.5.
  return major === '9' && least <= 7 ? [...minors(9, least), ...minors(8, Math.min(least + 5, 9))] : []
}

const minors = (major: number, from: number): readonly string[] =>
  countDown(from, 0).map(minor => (minor === 0 ? `v${major}` : `v${major}.${minor}`))
