import type { Labels } from '../../content/types.ts'

/** What a message must say to change a map of labels or annotations. */
export interface MapChange {
  /** Paths of the field mask; none: there is nothing to change. */
  readonly paths: readonly string[]
  readonly values: Labels
}

/** A change as a field mask: `labels` replaces all, `labels.<key>` sets one, or removes it where there is no value. */
export function mapChange(
  field: string,
  change: Readonly<Record<string, string | null>> | undefined,
  replace = false,
): MapChange {
  if (change === undefined) return { paths: [], values: {} }
  const paths = replace ? [field] : Object.keys(change).map(key => `${field}.${key}`)
  return { paths, values: present(change) }
}

/** Those that have a value. */
export const present = (change: Readonly<Record<string, string | null>>): Labels =>
  Object.fromEntries(
    Object.entries(change).filter((entry): entry is [string, string] => entry[1] !== null && entry[1] !== ''),
  )
