import type { InfoProvider, Provider } from '../content/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isIndex, isManifest, isManifestOrIndex } from '../oci/media-type.ts'
import { type Inspection, inspect, isWhole, platformInside, requiredBy } from './inspection.ts'
import { type Corrupt, type Located, lookAt, Probe, type ProbeOptions } from './probe.ts'
import { candidates, isMarked, lastOf, takes } from './select.ts'
import type { PlatformOptions } from './types.ts'

/** Options of `check`. */
export interface CheckOptions extends PlatformOptions, ProbeOptions {}

/** What one platform of an image needs, and what of it is there. */
export interface Availability {
  /** True: the manifest is known and every blob is present. */
  readonly available: boolean
  /** The manifest that was looked at; absent when the image offers none for the platform, or an index is not there. */
  readonly manifest?: Descriptor
  /** In order: indexes, manifest, config, layers; each digest once. */
  readonly present: readonly Descriptor[]
  readonly missing: readonly Located[]
  /** Blobs with wrong bytes. Layers and configs are only looked into with `deep`. */
  readonly corrupt: readonly Corrupt[]
}

/**
 * Tells which blobs one platform of an image needs, which are here, and for each missing one where it stands.
 *
 * Unlike containerd's, it counts indexes and manifests too, a blob of the wrong size is missing, `available` means that
 * nothing is missing, and a layer listed twice is one blob. For `ctr`'s required set leave out what is index or manifest.
 * An absent blob is an answer and no error; so is a platform that the image does not offer.
 *
 * @param options.deep  read and hash every byte, and name the blobs whose bytes are wrong
 * @throws INVALID_ARGUMENT  an index or manifest that is there cannot be parsed
 * @see containerd core/images/image.go, Check
 */
export async function check(
  store: Provider & InfoProvider,
  target: Descriptor,
  options: CheckOptions = {},
): Promise<Availability> {
  options.signal?.throwIfAborted()
  const probe = new Probe(store, options)
  const { path, required } = await choose(inspect(store, probe), target, options)
  const findings = await lookAt(probe, required)
  const whole = findings.missing.length === 0 && findings.corrupt.length === 0
  const isImage = isManifestOrIndex(target)
  return {
    available: whole && (path !== undefined || !isImage),
    ...(path && isImage && { manifest: lastOf(path) }),
    ...findings,
  }
}

/** As `check` with `deep`: every byte is read and hashed. */
export const deepCheck = (
  store: Provider & InfoProvider,
  target: Descriptor,
  options: PlatformOptions = {},
): Promise<Availability> => check(store, target, { ...options, deep: true })

interface Choice {
  /** The way to the chosen manifest. */
  readonly path?: readonly Descriptor[]
  /** The ways to all that must be there. */
  readonly required: ReadonlyArray<readonly Descriptor[]>
}

/** The first manifest that fits, else the first that may: one without platform whose config is not here to be asked. */
async function choose(inspection: Inspection, target: Descriptor, options: CheckOptions): Promise<Choice> {
  let unknown: Choice | undefined
  const absent: Array<readonly Descriptor[]> = []
  for await (const path of candidates(inspection.below, target, options)) {
    const desc = lastOf(path)
    if (isIndex(desc)) {
      if (!(await isWhole(inspection, desc, options))) absent.push(path)
    } else if (isManifest(desc)) {
      const fits = await isFit(inspection, path, options)
      if (fits === false) continue
      const choice = { path, required: await requiredBy(inspection, path, options) }
      if (fits === true) return choice
      unknown ??= choice
    }
  }
  return unknown ?? { required: [[target], ...absent] }
}

/** `undefined` when only a config could tell, and it is not here. */
async function isFit(
  inspection: Inspection,
  path: readonly Descriptor[],
  options: PlatformOptions,
): Promise<boolean | undefined> {
  const { platform } = options
  if (platform === undefined || isMarked(path)) return true
  const found = await platformInside(inspection, lastOf(path), options)
  return found && takes(platform, found.platform)
}
