import type { ImageConfig } from '../../oci/image-config.ts'
import { isObject, type JsonObject } from '../../oci/json.ts'

/** A setting that two images have differently. */
export interface ConfigDifference {
  /** As the config calls it: `Env`, `Labels`, `Cmd`, `architecture`. */
  readonly field: string
  /** Which of several: the name of a variable, a label, a port, a volume. */
  readonly key?: string
  /** As the config has it; absent: only the second image has it. */
  readonly before?: unknown
  /** Absent: only the first image has it. */
  readonly after?: unknown
}

const ofPlatform = ['os', 'architecture', 'variant', 'os.version'] as const
const single = [
  'User',
  'WorkingDir',
  'Entrypoint',
  'Cmd',
  'Shell',
  'StopSignal',
  'Healthcheck',
  'ArgsEscaped',
] as const
const keyed = ['Labels', 'ExposedPorts', 'Volumes'] as const

/**
 * Where two configs differ in what a container made of them is: platform, and the settings of `config`. When and how they
 * were made (`created`, `history`) does not count, nor whether a setting is absent or empty.
 *
 * @see image-spec v1.1, config.md, Properties
 */
export function diffConfigs(
  a: ImageConfig | undefined,
  b: ImageConfig | undefined,
): readonly ConfigDifference[] {
  const [before, after] = [settings(a), settings(b)]
  return [
    ...ofPlatform.flatMap(field => differing({ field }, a?.json[field], b?.json[field])),
    ...single.flatMap(field => differing({ field }, before[field], after[field])),
    ...byKey('Env', variables(before.Env), variables(after.Env)),
    ...keyed.flatMap(field => byKey(field, entries(before[field]), entries(after[field]))),
  ]
}

type Place = Pick<ConfigDifference, 'field' | 'key'>
type Keyed = ReadonlyMap<string, unknown>

const settings = (config: ImageConfig | undefined): JsonObject => {
  const found = config?.json.config
  return isObject(found) ? found : {}
}

/** Of two variables of one name the last counts. */
const variables = (env: unknown): Keyed =>
  new Map(
    (Array.isArray(env) ? env : []).map((text: unknown): [string, unknown] => {
      const [name = '', ...value] = String(text).split('=')
      return [name, value.join('=')]
    }),
  )

const entries = (value: unknown): Keyed => new Map(isObject(value) ? Object.entries(value) : [])

const byKey = (field: string, before: Keyed, after: Keyed): readonly ConfigDifference[] =>
  [...new Set([...before.keys(), ...after.keys()])].sort().flatMap(key => {
    if (before.has(key) && after.has(key)) return differing({ field, key }, before.get(key), after.get(key))
    return before.has(key)
      ? [{ field, key, before: before.get(key) }]
      : [{ field, key, after: after.get(key) }]
  })

function differing(place: Place, before: unknown, after: unknown): readonly ConfigDifference[] {
  if (canonical(before) === canonical(after)) return []
  return [
    {
      ...place,
      ...(!isEmpty(before) && { before }),
      ...(!isEmpty(after) && { after }),
    },
  ]
}

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)

/** The same text for the same value, whatever the order of its keys. */
const canonical = (value: unknown): string =>
  isEmpty(value)
    ? ''
    : JSON.stringify(value, (_, inner: unknown) =>
        isObject(inner)
          ? Object.fromEntries(Object.entries(inner).sort(([x], [y]) => (x < y ? -1 : 1)))
          : inner,
      )
