import { readBlob } from '../content/blob.ts'
import { ifFound } from '../content/if-found.ts'
import type { InfoProvider, Provider } from '../content/types.ts'
import type { FindReferrers } from '../handlers/referrers.ts'
import { labelKeys } from '../oci/annotations.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import { kindOfDocument, type Manifest, maxManifestSize, parseIndex, parseManifest } from '../oci/document.ts'
import { parseJson } from '../oci/json.ts'
import { mediaTypes } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'

const labelPrefix = `${labelKeys.gcRefContent}.referrer.`

/**
 * Finds what refers to a manifest or index, in a store, by the labels that tie it there: `childLabels` makes them when an
 * image is stored with its referrers. What they name and is not here is passed over.
 *
 * @see containerd core/images/handlers.go, SetReferrers
 */
export const storedReferrers =
  (content: Provider & InfoProvider): FindReferrers =>
  async (desc, options) => {
    const found: Descriptor[] = []
    for (const digest of await labelled(content, desc.digest, options)) {
      const referrer = await describe(content, digest, options)
      if (referrer) found.push(referrer)
    }
    return found
  }

async function labelled(
  content: InfoProvider,
  digest: Digest,
  options: AbortOptions,
): Promise<readonly Digest[]> {
  const { labels = {} } = (await ifFound(content.info(digest, options))) ?? {}
  const named = Object.entries(labels).filter(([key]) => key.startsWith(labelPrefix))
  return named.map(([, value]) => value).filter(isDigest)
}

async function describe(
  content: Provider & InfoProvider,
  digest: Digest,
  options: AbortOptions,
): Promise<Descriptor | undefined> {
  const size = (await ifFound(content.info(digest, options)))?.size
  if (size === undefined) return undefined
  const target = { mediaType: mediaTypes.ociManifest, digest, size }
  const bytes = await ifFound(readBlob(content, target, { ...options, maxSize: maxManifestSize }))
  if (bytes === undefined) return undefined
  const what = `referrer ${digest}`
  const isList = kindOfDocument(parseJson(bytes, what)) === 'index'
  const document: Partial<Manifest> = isList ? parseIndex(bytes, what) : parseManifest(bytes, what)
  const { annotations, config, artifactType = config?.mediaType } = document
  return Object.freeze({
    ...target,
    mediaType: document.mediaType ?? (isList ? mediaTypes.ociIndex : mediaTypes.ociManifest),
    ...(annotations && { annotations }),
    ...(artifactType !== undefined && { artifactType }),
  })
}
