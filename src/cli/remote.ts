import { cached } from '../content/cache.ts'
import type { Provider } from '../content/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { OnProgress } from '../remotes/progress.ts'
import type { RegistryResolver } from '../remotes/registry/resolver.ts'
import type { Context } from './context.ts'
import { remoteNames, withFirst } from './names.ts'
import { progressFor } from './progress.ts'
import { openResolver, type RegistryOptions } from './registry-options.ts'

/** Runs `work` with a client for the registry of `reference`. Only waits are shown as progress. */
export const withResolver = (
  reference: string,
  registry: RegistryOptions,
  { signal, options }: Pick<Context, 'signal' | 'options'>,
  work: (resolver: RegistryResolver) => Promise<void>,
): Promise<void> =>
  showingWaits(options, async onProgress => {
    await using resolver = await openResolver(reference, registry, { signal, onProgress })
    await work(resolver)
  })

/** Runs `work` on an image where it is: in the registry that its name stands for. Only waits are shown as progress. */
export const withRemote = (
  text: string,
  registry: RegistryOptions,
  { signal, options }: Pick<Context, 'signal' | 'options'>,
  work: (provider: Provider, target: Descriptor, name: string) => Promise<void>,
): Promise<void> =>
  showingWaits(options, async onProgress => {
    const open = async (reference: string) => {
      const resolver = await openResolver(reference, registry, { signal, onProgress })
      try {
        return { resolver, reference, target: await resolver.resolve(reference, { signal }) }
      } catch (error) {
        await resolver.close()
        throw error
      }
    }
    const names = await remoteNames(text, registry, { signal })
    const { target, reference, ...found } = await withFirst(text, names, open, { signal })
    await using resolver = found.resolver
    await work(cached(await resolver.fetcher(reference, { signal })), target, reference)
  })

async function showingWaits(
  options: Context['options'],
  work: (onProgress: OnProgress) => Promise<void>,
): Promise<void> {
  const progress = await progressFor(options)
  try {
    await work(event => {
      if (event.type === 'retry' || event.type === 'throttled') progress.onProgress(event)
    })
  } finally {
    progress.end()
  }
}
