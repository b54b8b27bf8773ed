import type { Labels, LabelsChange } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'

/** What a client sent: the fields that the paths pick from. */
export interface FieldSource {
  readonly labels?: Labels | undefined
  readonly target?: Descriptor | undefined
  /** Default: the target's. */
  readonly annotations?: Labels | undefined
}

/** A change of a record with a target, as `ImageStore.update` takes it. */
export interface RecordChange {
  readonly target?: Descriptor
  readonly labels?: Readonly<Record<string, string | null>>
  readonly replaceLabels?: boolean
  readonly annotations?: Readonly<Record<string, string | null>>
  readonly replaceAnnotations?: boolean
}

/**
 * A field mask and its values as a change of labels: of blobs and namespaces.
 *
 * `labels` replaces all, `labels.<key>` sets one, or removes it where the values lack it; no path at all is `labels`.
 *
 * @throws INVALID_ARGUMENT  any other path
 */
export function labelsChangeOf(paths: readonly string[], labels: Labels): LabelsChange {
  for (const path of paths) {
    if (path !== 'labels' && keyBehind('labels', path) === undefined) throw refused(path, ['labels'])
  }
  if (paths.length === 0 || paths.includes('labels')) return { labels, replace: true }
  return { labels: picked('labels', paths, labels) }
}

/**
 * A field mask and its values as a change of an image.
 *
 * `target` replaces the descriptor as a unit; `labels` and `annotations` (the target's) replace all; `labels.<key>` and
 * `annotations.<key>` set one, or remove it where the values lack it. No path at all replaces everything.
 *
 * @throws INVALID_ARGUMENT  any other path, or `target` without one
 * @see containerd core/metadata/images.go, Update
 */
export function recordChangeOf(paths: readonly string[], source: FieldSource): RecordChange {
  const { labels = {}, target } = source
  const annotations = source.annotations ?? target?.annotations ?? {}
  for (const path of paths) {
    const known = ['labels', 'annotations'].some(map => path === map || keyBehind(map, path) !== undefined)
    if (!known && path !== 'target') throw refused(path, ['labels', 'annotations', 'target'])
  }
  const all = paths.length === 0
  return {
    ...((all || paths.includes('target')) && { target: required(target) }),
    ...mapChange('labels', paths, labels, all, { replaceLabels: true }),
    ...mapChange('annotations', paths, annotations, all, { replaceAnnotations: true }),
  }
}

const mapChange = (
  map: 'labels' | 'annotations',
  paths: readonly string[],
  values: Labels,
  all: boolean,
  replace: RecordChange,
): RecordChange => {
  if (all || paths.includes(map)) return { [map]: values, ...replace }
  const some = picked(map, paths, values)
  return Object.keys(some).length === 0 ? {} : { [map]: some }
}

/** Only the keys that the paths name; null for those that the values lack. */
const picked = (map: string, paths: readonly string[], values: Labels): Record<string, string | null> =>
  Object.fromEntries(
    paths.flatMap(path => {
      const key = keyBehind(map, path)
      return key === undefined ? [] : [[key, Object.hasOwn(values, key) ? (values[key] ?? null) : null]]
    }),
  )

/** The whole rest is the key, dots too. */
const keyBehind = (map: string, path: string): string | undefined =>
  path.startsWith(`${map}.`) && path.length > map.length + 1 ? path.slice(map.length + 1) : undefined

const required = (target: Descriptor | undefined): Descriptor => {
  if (target === undefined)
    throw new OrlopError('INVALID_ARGUMENT', 'field path "target": there is no target')
  return target
}

const refused = (path: string, known: readonly string[]): OrlopError => {
  const takes = known.flatMap(name => (name === 'target' ? [name] : [name, `${name}.<key>`]))
  return new OrlopError(
    'INVALID_ARGUMENT',
    `field path ${JSON.stringify(path)}: cannot be changed; only ${takes.join(', ')} can`,
  )
}
