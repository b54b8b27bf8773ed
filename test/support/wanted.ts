import { only } from '../../src/oci/matcher.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import type { Wanted } from '../../src/runtime/select.ts'

/** Platforms to ask for, by their texts. */
export const wanted = (...texts: readonly string[]): readonly Wanted[] =>
  texts.map(text => ({ matcher: only(parsePlatform(text)), text }))
