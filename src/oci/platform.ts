import { asArray, asObject, asString, type JsonObject, optional } from './json.ts'

/**
 * What a manifest's files run on. Fields are as they were written; `normalizePlatform` makes them comparable.
 *
 * @see image-spec v1.1, image-index.md, platform
 */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  /** JSON's `os.version`. */
  readonly osVersion?: string
  /** JSON's `os.features`. */
  readonly osFeatures?: readonly string[]
}

/** A platform out of parsed JSON; absent `os` and `architecture` are `''`, as Go's decoder has them. */
export function readPlatform(value: unknown, what: string): Platform {
  const json = asObject(value, what)
  const variant = optional(json.variant, `${what}.variant`, asString)
  const osVersion = optional(json['os.version'], `${what}.os.version`, asString)
  const osFeatures = optional(json['os.features'], `${what}.os.features`, (list, at) =>
    asArray(list, at, asString),
  )
  return Object.freeze({
    os: optional(json.os, `${what}.os`, asString) ?? '',
    architecture: optional(json.architecture, `${what}.architecture`, asString) ?? '',
    ...(variant && { variant }),
    ...(osVersion && { osVersion }),
    ...(osFeatures && osFeatures.length > 0 && { osFeatures }),
  })
}

/** A platform as image-spec writes it. */
export const platformToJson = ({
  os,
  architecture,
  variant,
  osVersion,
  osFeatures,
}: Platform): JsonObject => ({
  architecture,
  os,
  ...(osVersion && { 'os.version': osVersion }),
  ...(osFeatures && { 'os.features': osFeatures }),
  ...(variant && { variant }),
})
