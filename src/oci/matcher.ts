import { compatiblePlatforms } from './compatibility.ts'
import { hostPlatform, normalizePlatform, type Platform, parsePlatform } from './platform.ts'
import { runsOnWindows } from './windows-version.ts'

/**
 * Accepts and ranks platforms.
 *
 * `compare` orders what `match` accepts: negative when `a` is the better choice. Both normalise what they are given.
 */
export interface Matcher {
  match(platform: Platform): boolean
  compare(a: Platform, b: Platform): number
}

/** Accepts everything and prefers nothing. */
export const anyPlatform: Matcher = Object.freeze({ match: () => true, compare: () => 0 })

/** Accepts what runs on `platform`, the closest first; see `compatiblePlatforms`. */
export const only = (platform: Platform): Matcher => ordered(...compatiblePlatforms(platform))

/** Accepts `platform` and no lower version or other architecture that would run there too. */
export const onlyStrict = (platform: Platform): Matcher => ordered(platform)

/** Accepts every architecture of one operating system, the one of `platform` first. */
export function onlyOS(platform: Platform): Matcher {
  const [sameSystem, exact] = [systemTest(platform), platformTest(platform)]
  return Object.freeze({
    match: sameSystem,
    compare: (a: Platform, b: Platform) => Number(exact(b)) - Number(exact(a)),
  })
}

/**
 * Accepts any of `platforms` and prefers those named first; among equals the one that asks for more features.
 *
 * Nothing is accepted when none is named.
 *
 * @see containerd/platforms, Ordered
 */
export function ordered(...platforms: readonly Platform[]): Matcher {
  const tests = platforms.map(platformTest)
  const rank = (platform: Platform): number => {
    const index = tests.findIndex(test => test(platform))
    return index === -1 ? tests.length : index
  }
  const compare = (a: Platform, b: Platform): number => {
    const [first, second] = [rank(a), rank(b)]
    if (first !== second) return first - second
    if (first < tests.length) return featureCount(b) - featureCount(a)
    if (featureCount(a) + featureCount(b) === 0) return 0
    return compare(withoutFeatures(a), withoutFeatures(b))
  }
  return Object.freeze({ match: (platform: Platform) => rank(platform) < tests.length, compare })
}

/** Accepts any of `platforms` and prefers none, save that more features come first. @see containerd/platforms, Any */
export function anyOf(...platforms: readonly Platform[]): Matcher {
  const tests = platforms.map(platformTest)
  const match = (platform: Platform): boolean => tests.some(test => test(platform))
  return Object.freeze({
    match,
    compare: (a: Platform, b: Platform) => {
      const [first, second] = [match(a), match(b)]
      if (first !== second) return first ? -1 : 1
      return first ? featureCount(b) - featureCount(a) : 0
    },
  })
}

/**
 * Accepts what runs on this machine. macOS and FreeBSD take Linux images too; Windows wants the newest that fits.
 *
 * @see containerd/platforms, Default
 */
export function hostMatcher(host: Platform = hostPlatform()): Matcher {
  const { os, architecture } = host
  if (os === 'darwin' || os === 'freebsd') return ordered(host, { os: 'linux', architecture })
  if (os !== 'windows') return only(host)
  const match = platformTest(host)
  return Object.freeze({
    match,
    compare: (a: Platform, b: Platform) => {
      const [first, second] = [match(a), match(b)]
      if (first !== second) return first ? -1 : 1
      const [newer, older] = [a.osVersion ?? '', b.osVersion ?? '']
      return !first || newer === older ? 0 : newer > older ? -1 : 1
    },
  })
}

/**
 * The matcher for what a user names: what runs on any of `texts`, those named first first; on this machine when there
 * is none.
 *
 * @throws INVALID_ARGUMENT  see `parsePlatform`
 */
export const platformMatcher = (texts: readonly string[] = []): Matcher =>
  texts.length === 0
    ? hostMatcher()
    : ordered(...texts.flatMap(text => compatiblePlatforms(parsePlatform(text))))

type Test = (platform: Platform) => boolean

/** Same system, architecture and variant, and nothing asked for that `platform` lacks. */
const platformTest = (platform: Platform): Test => {
  const sameSystem = systemTest(platform)
  const { architecture, variant } = normalizePlatform(platform)
  return candidate => {
    const other = normalizePlatform(candidate)
    return other.architecture === architecture && other.variant === variant && sameSystem(candidate)
  }
}

const systemTest = (platform: Platform): Test => {
  const { os, osVersion = '', osFeatures = [] } = normalizePlatform(platform)
  const isWindows = os === 'windows'
  const offered = new Set(osFeatures)
  // Every Windows that runs containers has win32k, but few say so.
  if (isWindows) offered.add('win32k')
  return candidate => {
    const other = normalizePlatform(candidate)
    return (
      other.os === os &&
      (!isWindows || runsOnWindows(osVersion, other.osVersion ?? '')) &&
      (other.osFeatures ?? []).every(feature => offered.has(feature))
    )
  }
}

const featureCount = ({ osFeatures = [] }: Platform): number => osFeatures.length

const withoutFeatures = ({ osFeatures: _, ...platform }: Platform): Platform => platform
