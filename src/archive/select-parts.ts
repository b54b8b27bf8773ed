import type { InfoProvider, Provider } from '../content/types.ts'
import { children } from '../handlers/children.ts'
import { pipe } from '../handlers/pipe.ts'
import { leafWhen, skipMissing } from '../handlers/skip.ts'
import { walkPaths } from '../handlers/walk.ts'
import { check } from '../images/check.ts'
import { completeness } from '../images/completeness.ts'
import type { Located } from '../images/probe.ts'
import { entriesOnce, lastOf } from '../images/select.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Matcher } from '../oci/matcher.ts'
import { isIndex, isManifest } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'

/** Who tells which platform is wanted. */
export interface PlatformWish {
  readonly matcher: Matcher
}

/** The parts of an image that are wanted. */
export interface SelectedParts<W extends PlatformWish = PlatformWish> {
  /** The manifest for each platform that was wanted and is offered; for all platforms: every manifest. */
  readonly manifests: readonly Descriptor[]
  /** Indexes and manifests that lead to these, the root among them, each once. Some may be `missing`. */
  readonly documents: readonly Descriptor[]
  /** All that is wanted, as far as it is known: documents, configs, layers; each digest once. */
  readonly blobs: readonly Descriptor[]
  /** What of it is not in the store. */
  readonly missing: readonly Located[]
  /** Those of the platforms that the image offers. */
  readonly platforms: readonly W[]
}

type Store = Provider & InfoProvider

/**
 * The parts of an image that some platforms need, and what of them a store lacks; `undefined` when the image offers none
 * of them. A root that is no index is taken whatever its platform.
 *
 * @param wanted  for each the best manifest; absent: all there are, attestations too
 */
export async function selectParts<W extends PlatformWish>(
  store: Store,
  root: Descriptor,
  wanted: readonly W[] | undefined,
  options: AbortOptions,
): Promise<SelectedParts<W> | undefined> {
  const found = wanted ? await bestOf(store, root, wanted, options) : await allOf<W>(store, root, options)
  if (found === undefined) return undefined
  const { manifests, missing, platforms } = found
  const documents = await documentsTo(store, root, manifests, options)
  const blobs = new Map<Digest, Descriptor>()
  const add = (desc: Descriptor): void => void (blobs.has(desc.digest) || blobs.set(desc.digest, desc))
  const below = pipe(children(store), skipMissing)
  for (const desc of documents) {
    add(desc)
    if (isManifest(desc)) for (const child of await below(desc, options)) add(child)
  }
  return { manifests: [...manifests.values()], documents, blobs: [...blobs.values()], missing, platforms }
}

interface Found<W> {
  readonly manifests: ReadonlyMap<Digest, Descriptor>
  readonly missing: readonly Located[]
  readonly platforms: readonly W[]
}

async function bestOf<W extends PlatformWish>(
  store: Store,
  root: Descriptor,
  wanted: readonly W[],
  options: AbortOptions,
): Promise<Found<W> | undefined> {
  const manifests = new Map<Digest, Descriptor>()
  const missing = new Map<Digest, Located>()
  const platforms: W[] = []
  for (const one of wanted) {
    const { matcher } = one
    const found = await check(store, root, { ...options, platform: matcher })
    if (isIndex(root) && found.manifest === undefined && found.missing.length === 0) continue
    platforms.push(one)
    const manifest = found.manifest ?? root
    manifests.set(manifest.digest, manifest)
    for (const located of found.missing) missing.set(located.descriptor.digest, located)
  }
  return platforms.length === 0 ? undefined : { manifests, missing: [...missing.values()], platforms }
}

async function allOf<W>(store: Store, root: Descriptor, options: AbortOptions): Promise<Found<W>> {
  const { entries } = await completeness(store, root, options)
  const missing = new Map<Digest, Located>()
  for (const entry of entries) {
    for (const located of entry.missing) missing.set(located.descriptor.digest, located)
  }
  return {
    manifests: new Map(entries.map(({ manifest }) => [manifest.digest, manifest])),
    missing: [...missing.values()],
    platforms: [],
  }
}

/** The documents on the ways to some manifests. */
async function documentsTo(
  store: Provider,
  root: Descriptor,
  manifests: ReadonlyMap<Digest, unknown>,
  options: AbortOptions,
): Promise<readonly Descriptor[]> {
  const documents = new Map<Digest, Descriptor>([[root.digest, root]])
  const handler = pipe(children(store), skipMissing, leafWhen(isManifest))
  for await (const path of walkPaths(handler, [root], { ...entriesOnce(), ...options })) {
    if (!manifests.has(lastOf(path).digest)) continue
    for (const desc of path) if (!documents.has(desc.digest)) documents.set(desc.digest, desc)
  }
  return [...documents.values()]
}
