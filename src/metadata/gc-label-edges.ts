import type { Labels } from '../content/types.ts'
import { labelKeys } from '../oci/annotations.ts'
import { isDigest } from '../oci/digest.ts'
import type { Node } from './collectible.ts'

/**
 * What an object keeps by its labels, within its namespace.
 *
 * `containerd.io/gc.ref.content` with a digest, `containerd.io/gc.ref.image` with an image's name; either may be followed by
 * `.` or `/` and anything: `containerd.io/gc.ref.content.l.0`. Any other word after `gc.ref.` is a kind of its own, which
 * counts when somebody has brought a `Collectible` of that kind. A value that is no digest is ignored.
 *
 * @see containerd docs/garbage-collection.md
 */
export const references = (namespace: string, labels: Labels): readonly Node[] =>
  edges(namespace, labels, labelKeys.gcRef)

/** What keeps an object, by its own labels: `containerd.io/gc.bref.content` and `.image`, with endings as above. */
export const backReferences = (namespace: string, labels: Labels): readonly Node[] =>
  edges(namespace, labels, `${labelKeys.gcBref}.`)

/** The label that makes a blob a root: any that starts with `containerd.io/gc.root`. */
export const rootLabel = (labels: Labels): string | undefined =>
  Object.keys(labels).find(key => key.startsWith(labelKeys.gcRoot))

/**
 * When an object expires by its label: RFC 3339 as Go reads it.
 *
 * @returns `undefined` without that label, and for text that is no such time: the object does not expire then
 */
export function expiryOf(labels: Labels): Date | undefined {
  if (!Object.hasOwn(labels, labelKeys.gcExpire)) return undefined
  const text = labels[labelKeys.gcExpire] ?? ''
  const found =
    /^\d{4}-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.,]\d+)?(?:Z|[+-](?:[01]\d|2[0-4]):[0-5]\d)$/.exec(
      text,
    )
  // JavaScript takes the 30th of February for the 1st of March, and knows no comma.
  if (found === null || Number(found[2]) > daysIn(Number(text.slice(0, 4)), Number(found[1])))
    return undefined
  const date = new Date(text.replace(',', '.'))
  return Number.isNaN(date.getTime()) ? undefined : date
}

const daysIn = (year: number, month: number): number => {
  const date = new Date(0)
  // Not Date.UTC, for which the year 99 is 1999.
  date.setUTCFullYear(year, month, 0)
  return month < 1 || month > 12 ? 0 : date.getUTCDate()
}

function edges(namespace: string, labels: Labels, prefix: string): readonly Node[] {
  const found: Node[] = []
  for (const [label, value] of Object.entries(labels)) {
    if (!label.startsWith(prefix)) continue
    const [kind = ''] = label.slice(prefix.length).split(/[./]/, 1)
    if (kind === '' || (kind === 'content' && !isDigest(value))) continue
    found.push({ kind, namespace, key: value })
  }
  return found
}
