import { annotationKeys } from '../oci/annotations.ts'
import type { Annotations, Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Document } from './documents.ts'
import type { BlobFile } from './files.ts'

/** An image that is made anew, and how its name is known. */
export interface RebuiltImage {
  readonly name: string
  readonly target: Descriptor
  /** True: from an annotation; false: there was none, and the name is made of the digest. */
  readonly isNamed: boolean
}

/**
 * The images that documents make: each one that an annotation names, and each that no other document has among its children.
 *
 * A `subject` does not count: what refers to an image is an image of its own. Of several with one name the first by
 * digest gets it, and the others are named by digest.
 */
export function imagesOf(files: Iterable<BlobFile>): readonly RebuiltImage[] {
  const documents = new Map<Digest, { readonly target: Descriptor; readonly document: Document }>()
  for (const { digest, size, document } of files) {
    if (document) documents.set(digest, { target: { mediaType: document.mediaType, digest, size }, document })
  }
  const children = [...documents.values()].flatMap(({ document }) => document.children)
  const below = new Set(children.map(({ digest }) => digest))
  const claims: Array<readonly [string, Descriptor]> = []
  for (const { target, document } of documents.values()) {
    const name = nameIn(document.annotations)
    if (name !== undefined && !below.has(target.digest)) claims.push([name, target])
  }
  for (const child of children) {
    const name = nameIn(child.annotations ?? {})
    const found = documents.get(child.digest)
    if (name !== undefined && found) claims.push([name, found.target])
  }
  const images = new Map<string, RebuiltImage>()
  const named = new Set<Digest>()
  for (const [name, target] of claims.toSorted(([, a], [, b]) => (a.digest < b.digest ? -1 : 1))) {
    if (images.has(name)) continue
    images.set(name, { name, target, isNamed: true })
    named.add(target.digest)
  }
  for (const { target } of documents.values()) {
    if (below.has(target.digest) || named.has(target.digest)) continue
    const name = `rebuilt@${target.digest}`
    images.set(name, { name, target, isNamed: false })
  }
  return [...images.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** A full name only: an archive's `ref.name` is often no more than a tag. */
function nameIn(annotations: Annotations): string | undefined {
  const read = (key: string): string | undefined =>
    Object.hasOwn(annotations, key) && annotations[key] ? annotations[key] : undefined
  const ref = read(annotationKeys.refName)
  return read(annotationKeys.imageName) ?? (ref !== undefined && /[/:]/.test(ref) ? ref : undefined)
}
