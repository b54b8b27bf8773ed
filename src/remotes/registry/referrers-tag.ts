import { isNotFound, OrlopError } from '../../errors.ts'
import { type Descriptor, descriptorToJson } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { parseIndex } from '../../oci/document.ts'
import { isIndex, mediaTypes } from '../../oci/media-type.ts'
import type { AbortOptions } from '../../options.ts'
import { hasStatus } from './error.ts'
import type { PushPlace } from './head.ts'
import { fetchManifest } from './manifests.ts'
import { putManifest, type Reference } from './put-manifest.ts'
import { referrersByApi, referrersTag } from './referrers.ts'
import { backOff, pause } from './retry.ts'

/** Two clients that change the list at once may each undo what the other did; so often it is looked at again. */
const maxTries = 5

/**
 * Adds a manifest to the list that the referrers tag of its subject points at, for a registry that keeps no such lists.
 *
 * @see distribution-spec v1.1, Pushing Manifests with Subject, and Referrers Tag Schema
 */
export const addReferrer = (
  place: PushPlace,
  { subject, referrer }: Reference,
  options: AbortOptions,
): Promise<void> =>
  edit(place, subject, list => (list.some(isFor(referrer)) ? list : [...list, referrer]), options)

/** Takes a manifest off that list, if it is on it. */
export const removeReferrer = (
  place: PushPlace,
  { subject, referrer }: Reference,
  options: AbortOptions,
): Promise<void> => edit(place, subject, list => list.filter(one => !isFor(referrer)(one)), options)

const isFor =
  ({ digest }: Descriptor) =>
  (other: Descriptor): boolean =>
    other.digest === digest

type Change = (list: readonly Descriptor[]) => readonly Descriptor[]

async function edit(place: PushPlace, subject: Digest, change: Change, options: AbortOptions): Promise<void> {
  const { policy, host } = place.endpoint
  const tag = referrersTag(subject)
  for (let tries = 1; ; tries++) {
    const before = await listed(place, tag, options)
    const after = change(before)
    // It is as it should be: from the start, or, looked at once more, because nobody came in between.
    if (after.length === before.length) return
    if (tries > maxTries) {
      const what = `${host.name}/${place.repository}:${tag}`
      throw new OrlopError(
        'ABORTED',
        `${what}: others change this list of referrers at the same time; try again`,
      )
    }
    if (tries > 1) await pause(backOff(tries - 1, policy), policy, options)
    await putManifest(place, tag, { mediaType: mediaTypes.ociIndex, bytes: indexOf(after) }, options)
  }
}

async function listed(
  { endpoint, repository }: PushPlace,
  tag: string,
  options: AbortOptions,
): Promise<readonly Descriptor[]> {
  try {
    const { target, bytes } = await fetchManifest(endpoint, repository, tag, options)
    const what = `${endpoint.host.name}/${repository}:${tag}`
    if (isIndex(target)) return parseIndex(bytes, what).manifests
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `${what}: ${target.mediaType}, not an index of referrers; it was left as it is`,
    )
  } catch (error) {
    if (hasStatus(error, 404)) return []
    throw error
  }
}

const indexOf = (manifests: readonly Descriptor[]): Uint8Array =>
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: manifests.map(descriptorToJson),
    }),
  )

/** True when the registry itself lists what refers to a manifest, by the referrers API. */
export async function listsReferrers(
  { endpoint, repository }: PushPlace,
  subject: Digest,
  options: AbortOptions,
): Promise<boolean> {
  try {
    for await (const _ of referrersByApi(endpoint, repository, subject, options)) break
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}
