import { algorithmOf, type Digest, isDigest } from '../../oci/digest.ts'
import { maxManifestSize } from '../../oci/document.ts'
import type { AbortOptions } from '../../options.ts'
import type { PushPlace } from './head.ts'
import { fetchManifest } from './manifests.ts'
import type { Sink } from './push-ingest.ts'
import type { PushState } from './push-state.ts'
import { type OutgoingManifest, putManifest, type Reference, referenceOf } from './put-manifest.ts'
import { addReferrer, listsReferrers } from './referrers-tag.ts'

/** Where a manifest goes. */
export interface ManifestPlace extends PushPlace {
  readonly state: Pick<PushState, 'turns'>
  /** A tag; absent: its digest. */
  readonly tag?: string | undefined
}

/** Sends one manifest or index, kept in memory until it is whole. */
export class ManifestUpload implements Sink {
  readonly holds = maxManifestSize
  readonly #place: ManifestPlace
  readonly #mediaType: string

  constructor(place: ManifestPlace, mediaType: string) {
    this.#place = place
    this.#mediaType = mediaType
  }

  /** What is held is given to `commit` alone. */
  async write(): Promise<void> {}

  commit(digest: Digest, held: Uint8Array, options: AbortOptions): Promise<void> {
    return pushManifest(this.#place, { mediaType: this.#mediaType, bytes: held }, digest, options)
  }

  async resume(): Promise<number> {
    return 0
  }

  release(): void {}

  async cancel(): Promise<void> {}
}

/**
 * Puts a manifest or index in its place, and lists it under what it refers to where the registry does not.
 *
 * Throws as `putManifest`.
 */
export async function pushManifest(
  place: ManifestPlace,
  manifest: OutgoingManifest,
  digest: Digest,
  options: AbortOptions,
): Promise<void> {
  const { tag = digest } = place
  // Under a tag a registry stores it by the digest of its own choice.
  if (!isDigest(tag) && algorithmOf(digest) !== 'sha256') await putManifest(place, digest, manifest, options)
  const { subject } = await putManifest(place, tag, manifest, options)
  const reference = referenceOf(manifest, digest)
  if (reference && subject === undefined) await addInTurn(place, reference, options)
}

/**
 * Lists a manifest that is there under what it refers to, if the registry does not.
 *
 * @throws NOT_FOUND  no such manifest
 */
export async function enlistManifest(
  place: ManifestPlace,
  digest: Digest,
  options: AbortOptions,
): Promise<void> {
  const { endpoint, repository } = place
  const { target, bytes } = await fetchManifest(endpoint, repository, digest, options)
  const reference = referenceOf({ mediaType: target.mediaType, bytes }, digest)
  if (reference && !(await listsReferrers(place, reference.subject, options)))
    await addInTurn(place, reference, options)
}

const addInTurn = (place: ManifestPlace, reference: Reference, options: AbortOptions): Promise<void> =>
  place.state.turns.run(`${place.repository} ${reference.subject}`, () =>
    addReferrer(place, reference, options),
  )
