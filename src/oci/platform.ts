import { OrlopError } from '../errors.ts'
import { hostPlatform } from './host-platform.ts'
import { asArray, asObject, asString, type JsonObject, lookalikes, optional } from './json.ts'
import { isKnownArchitecture, isKnownOs, normalizeArchitecture, normalizeOs } from './platform-names.ts'

export { type HostFacts, hostPlatform } from './host-platform.ts'

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

const refuseLookalikes = lookalikes(['os', 'architecture', 'variant', 'os.version', 'os.features'])

/** A platform out of parsed JSON; absent `os` and `architecture` are `''`, as Go's decoder has them. */
export function readPlatform(value: unknown, what: string): Platform {
  const json = asObject(value, what)
  refuseLookalikes(json, what)
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

/** A platform by its parts, without those that say nothing. */
const platformOf = (
  os: string,
  { architecture, variant }: { readonly architecture: string; readonly variant: string },
  osVersion = '',
  osFeatures: readonly string[] = [],
): Platform =>
  Object.freeze({
    os,
    architecture,
    ...(variant && { variant }),
    ...(osVersion && { osVersion }),
    ...(osFeatures.length > 0 && { osFeatures: Object.freeze(osFeatures) }),
  })

/**
 * A platform by normal names, so that equal ones are equal; features sorted, none twice.
 *
 * @see containerd/platforms, Normalize
 */
export const normalizePlatform = ({
  os,
  architecture,
  variant = '',
  osVersion,
  osFeatures = [],
}: Platform): Platform =>
  platformOf(normalizeOs(os), normalizeArchitecture(architecture, variant), osVersion, [
    ...new Set(osFeatures.toSorted()),
  ])

const osShape = /^(?<name>[A-Za-z0-9_-]+)(?:\((?<version>[A-Za-z0-9_.%-]*)(?<features>[A-Za-z0-9_.%+-]*)\))?$/
const maxText = 1024
const partShape = /^[A-Za-z0-9_.-]+$/

/**
 * A platform out of what a user types: `linux`, `arm64`, `linux/arm/v6`, `windows(10.0.17763+win32k)/amd64`.
 *
 * What is left out of a single word comes from `host`. Two and three words are taken as they are, known or not. Variants
 * that go without saying are dropped, save those that were written: `linux/arm64/v8` stays that.
 *
 * @throws INVALID_ARGUMENT  wildcards, empty or more than three parts, or a single word that is not known
 * @see containerd/platforms, Parse
 */
export function parsePlatform(text: string, host: Platform = hostPlatform()): Platform {
  const parts = text.length > maxText ? [] : text.split('/')
  const [first = '', second, third] = parts
  const { name, version = '', features = '' } = osShape.exec(first)?.groups ?? {}
  if (name === undefined || parts.length > 3 || parts.slice(1).some(part => !partShape.test(part))) {
    throw invalid(
      text,
      'expected <os>[(<version>+<feature>…)], <architecture>, or <os>/<architecture>[/<variant>]',
    )
  }
  const os = normalizeOs(name)
  const options = [decode(version, text), features.split('+').map(feature => decode(feature, text))] as const
  const finish = (architecture: string, variant: string, system = os): Platform =>
    platformOf(system, { architecture, variant }, options[0], options[1].filter(Boolean))
  if (second === undefined) {
    if (isKnownOs(os))
      return finish(host.architecture, host.architecture === 'arm' ? implied(host.variant) : '')
    const { architecture, variant } = normalizeArchitecture(first, '')
    if (!isKnownArchitecture(architecture))
      throw invalid(text, 'neither an operating system nor an architecture')
    return finish(architecture, architecture === 'arm' ? implied(variant) : variant, normalizeOs(host.os))
  }
  const { architecture, variant } = normalizeArchitecture(second, third ?? '')
  if (third === undefined) return finish(architecture, architecture === 'arm' ? implied(variant) : variant)
  return finish(architecture, architecture === 'arm64' && variant === '' ? 'v8' : variant)
}

const invalid = (text: string, why: string): OrlopError =>
  new OrlopError(
    'INVALID_ARGUMENT',
    `platform ${JSON.stringify(text.slice(0, 160))}: ${why}, as in linux/arm64`,
  )

/** On 32-bit ARM nothing is written for v7. */
const implied = (variant = ''): string => (variant === 'v7' ? '' : variant)

const decode = (option: string, text: string): string => {
  try {
    return decodeURIComponent(option)
  } catch {
    throw invalid(text, `${JSON.stringify(option)} has a wrong % escape`)
  }
}

/** `os/architecture/variant`, without empty parts; `unknown` without an `os`. */
export const formatPlatform = ({ os, architecture, variant }: Platform): string =>
  os === '' ? 'unknown' : [os, architecture, variant].filter(Boolean).join('/')

/**
 * As `formatPlatform`, with version and features: `windows(10.0.17763+win32k)/amd64`.
 *
 * Every character that `parsePlatform` would not take back is escaped; containerd escapes only `% + ( ) /`.
 */
export function formatPlatformAll(platform: Platform): string {
  const { os, osVersion = '', osFeatures = [] } = platform
  const features = osFeatures.filter(Boolean).toSorted()
  const options = [osVersion, ...features].map(encode).join('+')
  return formatPlatform(os === '' || options === '' ? platform : { ...platform, os: `${os}(${options})` })
}

const encode = (option: string): string =>
  encodeURIComponent(option.replace(/\p{Surrogate}/gu, '\ufffd')).replace(
    /[!'()*~]/g,
    char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
