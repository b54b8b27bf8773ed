import type { InfoProvider, Provider } from '../content/types.ts'
import { isUnknownPlatform } from '../handlers/limit.ts'
import { pipe } from '../handlers/pipe.ts'
import { leafWhen } from '../handlers/skip.ts'
import { walkPaths } from '../handlers/walk.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Matcher } from '../oci/matcher.ts'
import { isIndex, isManifest } from '../oci/media-type.ts'
import { normalizePlatform, type Platform } from '../oci/platform.ts'
import type { CheckOptions } from './check.ts'
import { type Inspection, inspect, isWhole, platformInside, requiredBy } from './inspection.ts'
import { type Corrupt, type Findings, type Located, lookAt, Probe } from './probe.ts'
import { entriesOnce, lastOf } from './select.ts'

/** Whether all, some or none of the blobs are here, whole. */
export type State = 'complete' | 'partial' | 'missing'

/** How much of something is here. */
export interface Count {
  readonly present: number
  readonly required: number
}

/** What is here of one entry of an image. */
export interface EntryReport {
  /**
   * `platform`: a manifest for a platform, or for one that cannot be known as its blobs are not here. `attestation`: its
   * platform is unknown/unknown. `artifact`: its config names no platform. `index`: an index that is absent or corrupt, so
   * that what it lists cannot be known. `blob`: an entry that is none of these.
   */
  readonly kind: 'platform' | 'attestation' | 'artifact' | 'index' | 'blob'
  /** By normal names; from the entry, else from the config where it is here. */
  readonly platform?: Platform
  /** The entry's descriptor. */
  readonly manifest: Descriptor
  /** The image's target first, the entry last. */
  readonly path: readonly Descriptor[]
  readonly state: State
  /** The manifest, its config and its layers, each digest once; the manifest alone when it is not here to name the others. */
  readonly blobs: Count
  /** Sizes of the same. */
  readonly bytes: Count
  readonly missing: readonly Located[]
  /** Blobs with wrong bytes; layers and configs are only looked into with `deep`. */
  readonly corrupt: readonly Corrupt[]
}

/** What is here of an image. */
export interface Completeness {
  /** Over all entries but attestations; `missing` when no entry is for the platform that was asked for. */
  readonly state: State
  /** In the image's own order, attestations too. */
  readonly entries: readonly EntryReport[]
}

/**
 * Reports for each platform of an image whether it is complete, partial or missing here, and which blobs are missing.
 *
 * A target that is a manifest is one entry. An entry without platform is reported with that of its config, and one that is
 * not here to be asked is reported for every `platform`. A blob of the wrong size is not present.
 *
 * @param options.platform  only entries that match; default: all
 * @param options.deep  read and hash every byte
 * @throws INVALID_ARGUMENT  an index or manifest that is there cannot be parsed
 */
export async function completeness(
  store: Provider & InfoProvider,
  target: Descriptor,
  options: CheckOptions = {},
): Promise<Completeness> {
  const { platform, signal } = options
  signal?.throwIfAborted()
  const probe = new Probe(store, options)
  const inspection = inspect(store, probe)
  const handler = pipe(inspection.below, leafWhen(isManifest))
  const entries: EntryReport[] = []
  for await (const path of walkPaths(handler, [target], { ...entriesOnce(), signal })) {
    const desc = lastOf(path)
    if (isIndex(desc) && (await isWhole(inspection, desc, options))) continue
    const found = await identify(inspection, desc, options)
    if (!isAsked(platform, found)) continue
    const required = isManifest(desc) ? await requiredBy(inspection, path, options) : [path]
    // The indexes above are here, or this entry would not be known.
    entries.push({ ...found, ...reportOf(path, await lookAt(probe, own(path, required))) })
  }
  return { state: overall(entries, platform), entries }
}

type Identity = Pick<EntryReport, 'kind' | 'platform'>

async function identify(inspection: Inspection, desc: Descriptor, options: CheckOptions): Promise<Identity> {
  const named = desc.platform && normalizePlatform(desc.platform)
  if (named && isUnknownPlatform(named)) return { kind: 'attestation', platform: named }
  if (isIndex(desc)) return { kind: 'index', ...(named && { platform: named }) }
  if (!isManifest(desc)) return { kind: 'blob', ...(named && { platform: named }) }
  if (named) return { kind: 'platform', platform: named }
  const found = await platformInside(inspection, desc, options)
  if (found === undefined) return { kind: 'platform' }
  const { platform } = found
  if (platform === undefined) return { kind: 'artifact' }
  return { kind: isUnknownPlatform(platform) ? 'attestation' : 'platform', platform }
}

const isAsked = (matcher: Matcher | undefined, { kind, platform }: Identity): boolean => {
  if (matcher === undefined) return true
  if (platform !== undefined) return matcher.match(platform)
  return kind !== 'artifact' && kind !== 'blob'
}

const own = (
  path: readonly Descriptor[],
  required: ReadonlyArray<readonly Descriptor[]>,
): ReadonlyArray<readonly Descriptor[]> => required.filter(way => way.length >= path.length)

function reportOf(
  path: readonly Descriptor[],
  { present, missing, corrupt }: Findings,
): Omit<EntryReport, keyof Identity> {
  const all = [...present, ...[...missing, ...corrupt].map(({ descriptor }) => descriptor)]
  const bytes = { present: sum(present), required: sum(all) }
  const blobs = { present: present.length, required: all.length }
  return { manifest: lastOf(path), path, state: stateOf(blobs), blobs, bytes, missing, corrupt }
}

const sum = (descs: readonly Descriptor[]): number => descs.reduce((total, { size }) => total + size, 0)

const stateOf = ({ present, required }: Count): State => {
  if (present === required) return 'complete'
  return present === 0 ? 'missing' : 'partial'
}

function overall(entries: readonly EntryReport[], platform: Matcher | undefined): State {
  const images = entries.filter(({ kind }) => kind !== 'attestation')
  if (entries.length === 0) return platform === undefined ? 'complete' : 'missing'
  const states = (images.length > 0 ? images : entries).map(({ state }) => state)
  if (states.every(state => state === 'complete')) return 'complete'
  return states.every(state => state === 'missing') ? 'missing' : 'partial'
}
