import type { Provider } from '../content/types.ts'
import { children } from '../handlers/children.ts'
import type { Handler } from '../handlers/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Platform } from '../oci/platform.ts'
import type { AbortOptions } from '../options.ts'
import type { Probe } from './probe.ts'
import { configPlatform, lastOf } from './select.ts'

/** What looks at an image: the blobs one by one, and what documents that are here name. */
export interface Inspection {
  readonly store: Provider
  readonly probe: Probe
  readonly below: Handler
}

/** Looks at the images of a store; make one for each question, for it remembers what it saw. */
export const inspect = (store: Provider, probe: Probe): Inspection => ({
  store,
  probe,
  below: presentChildren(store, probe),
})

/** `children` for a store that may lack anything: an index that is absent or corrupt has none. Each is read once. */
const presentChildren = (store: Provider, probe: Probe): Handler => {
  const known = new Map<string, readonly Descriptor[]>()
  return async (desc, options) => {
    const id = `${desc.mediaType} ${desc.digest} ${desc.size}`
    const found = known.get(id) ?? (await probe.document(desc, () => children(store)(desc, options))) ?? []
    known.set(id, found)
    return found
  }
}

/** True when the node is here and its bytes are right, as far as was asked for; documents are read for it. */
export async function isWhole(
  { probe, below }: Inspection,
  desc: Descriptor,
  options: AbortOptions,
): Promise<boolean> {
  await below(desc, options)
  return (await probe.look(desc)).state === 'present'
}

/** The platform of a manifest's config, in an object; `undefined` when manifest or config are not here to tell. */
export async function platformInside(
  { store, probe, below }: Inspection,
  manifest: Descriptor,
  { signal }: AbortOptions,
): Promise<{ readonly platform: Platform | undefined } | undefined> {
  const [config] = await below(manifest, { signal })
  return (
    config &&
    (await probe.document(config, async () => ({
      platform: await configPlatform(store, config, { signal }),
    })))
  )
}

/** The ways to all that a manifest needs: what leads to it, itself, its config and layers. */
export async function requiredBy(
  { below }: Inspection,
  path: readonly Descriptor[],
  options: AbortOptions,
): Promise<ReadonlyArray<readonly Descriptor[]>> {
  const way = path.map((_, at) => path.slice(0, at + 1))
  return [...way, ...(await below(lastOf(path), options)).map(desc => [...path, desc])]
}
