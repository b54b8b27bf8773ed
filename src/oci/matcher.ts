import type { Platform } from './platform.ts'

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
