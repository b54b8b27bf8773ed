import type { Labels, LabelsChange } from './types.ts'

/**
 * The labels that come of a change, frozen: merged into those there unless it replaces them; null and '' remove.
 *
 * Limits are the caller's affair; they count for the result.
 */
export function changeLabels(current: Labels, { labels, replace = false }: LabelsChange): Labels {
  const merged = new Map<string, string | null>(replace ? [] : Object.entries(current))
  for (const [key, value] of Object.entries(labels)) merged.set(key, value)
  return Object.freeze(
    Object.fromEntries([...merged].flatMap(([key, value]) => (value ? [[key, value]] : []))),
  )
}

/** Labels as a record keeps them: a frozen copy without empty values. */
export const keptLabels = (labels: Labels = {}): Labels => changeLabels({}, { labels })
