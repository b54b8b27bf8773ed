import { OrlopError } from '../errors.ts'
import { annotationKeys } from '../oci/annotations.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { parseReference } from '../oci/reference.ts'

/** How the images of an archive are called. */
export interface Naming {
  /** What goes before a name that is only a tag: `<base>:<tag>`. */
  readonly base: string
  /** True: of names that are more than a tag only those that begin with the base. */
  readonly only?: boolean | undefined
  /** True: each image is called `<base>@<digest>` too. */
  readonly digests?: boolean | undefined
  /** True: not those that have a name. */
  readonly skipDigestForNamed?: boolean | undefined
}

/**
 * The names for an entry of an archive's index: its full one, by containerd's annotation, else the one that the layout
 * gives; and one by its digest, if wanted.
 *
 * @throws INVALID_ARGUMENT  a name that is no reference: an archive must not plant anything else
 * @see containerd core/images/archive/reference.go; client/import.go, imageName
 */
export function imageNames(entry: Descriptor, naming: Naming, what: string): readonly string[] {
  const name = ownName(entry, naming)
  const withDigest = naming.digests && !(naming.skipDigestForNamed && name !== undefined)
  const names = [
    ...(name === undefined ? [] : [name]),
    ...(withDigest ? [`${naming.base}@${entry.digest}`] : []),
  ]
  for (const text of names) check(text, what)
  return names
}

function ownName({ annotations = {} }: Descriptor, { base, only = false }: Naming): string | undefined {
  const annotation = (key: string): string | undefined =>
    (Object.hasOwn(annotations, key) && annotations[key]) || undefined
  const full = annotation(annotationKeys.imageName)
  const name = annotation(annotationKeys.refName)
  if (full !== undefined || name === undefined) return full
  if (!/[/:@]/.test(name)) return `${base}:${name}`
  return !only || startsWith(name, base) ? name : undefined
}

const startsWith = (name: string, base: string): boolean =>
  name.startsWith(base) && /^(?:$|[/:@])/.test(name.slice(base.length))

function check(name: string, what: string): void {
  try {
    parseReference(name)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new OrlopError('INVALID_ARGUMENT', `${what}: an image has a name that is none: ${why}`, { cause })
  }
}
