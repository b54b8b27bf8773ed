import type { Provider } from '../content/types.ts'
import { isNotFound } from '../errors.ts'
import { readIndex, readManifest } from '../handlers/children.ts'
import type { FindReferrers } from '../handlers/referrers.ts'
import { type Descriptor, readDescriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { type Manifest, maxManifestSize } from '../oci/document.ts'
import type { JsonObject } from '../oci/json.ts'
import { isIndex, isManifestOrIndex } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import type { LayoutIndex } from './oci-index.ts'

/**
 * Finds the entries of a layout that refer to a manifest by their `subject`: signatures, bills of materials.
 *
 * Their documents are read once, when first asked. An entry whose document is not there refers to nothing.
 *
 * @see image-spec v1.1, manifest.md, subject; image-layout.md
 */
export function layoutReferrers({ entries }: LayoutIndex, blobs: Provider, directory: string): FindReferrers {
  let found: Promise<ReadonlyMap<Digest, readonly Descriptor[]>> | undefined
  return async ({ digest }, options) => {
    found ??= bySubject(entries, blobs, directory, options)
    found.catch(() => {
      found = undefined
    })
    return (await found).get(digest) ?? []
  }
}

async function bySubject(
  entries: readonly JsonObject[],
  blobs: Provider,
  directory: string,
  { signal }: AbortOptions,
): Promise<ReadonlyMap<Digest, readonly Descriptor[]>> {
  const found = new Map<Digest, Descriptor[]>()
  for (const [at, entry] of entries.entries()) {
    signal?.throwIfAborted()
    if (typeof entry.mediaType !== 'string' || !isManifestOrIndex({ mediaType: entry.mediaType })) continue
    const desc = readDescriptor(entry, `layout ${directory}: manifests[${at}]`)
    if (desc.size > maxManifestSize) continue
    const document = await documentOf(blobs, desc, { signal })
    if (document?.subject === undefined) continue
    const { mediaType, digest, size, annotations } = desc
    const artifactType =
      document.artifactType ?? ('config' in document ? document.config.mediaType : undefined)
    const referrer = Object.freeze({
      mediaType,
      digest,
      size,
      ...(artifactType !== undefined && { artifactType }),
      ...((document.annotations ?? annotations) && {
        annotations: document.annotations ?? annotations ?? {},
      }),
    })
    const others = found.get(document.subject.digest)
    if (others === undefined) found.set(document.subject.digest, [referrer])
    else if (!others.some(other => other.digest === digest)) others.push(referrer)
  }
  return found
}

async function documentOf(
  blobs: Provider,
  desc: Descriptor,
  options: AbortOptions,
): Promise<
  (Pick<Manifest, 'subject' | 'artifactType' | 'annotations'> & Partial<Pick<Manifest, 'config'>>) | undefined
> {
  try {
    return isIndex(desc) ? await readIndex(blobs, desc, options) : await readManifest(blobs, desc, options)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
