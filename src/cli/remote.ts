import { cached } from '../content/cache.ts'
import type { Provider } from '../content/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { fullReference } from '../oci/reference.ts'
import type { RegistryResolver } from '../remotes/registry/resolver.ts'
import type { Context } from './context.ts'
import { progressFor } from './progress.ts'
import { openResolver, type RegistryOptions } from './registry-options.ts'

/** Runs `work` with a client for the registry of `reference`. Only waits are shown as progress. */
export async function withResolver(
  reference: string,
  registry: RegistryOptions,
  { signal, options }: Pick<Context, 'signal' | 'options'>,
  work: (resolver: RegistryResolver) => Promise<void>,
): Promise<void> {
  const progress = await progressFor(options)
  try {
    await using resolver = await openResolver(reference, registry, {
      signal,
      onProgress: event => {
        if (event.type === 'retry' || event.type === 'throttled') progress.onProgress(event)
      },
    })
    await work(resolver)
  } finally {
    progress.end()
  }
}

/** Runs `work` on an image where it is: in its registry. Only waits are shown as progress. */
export async function withRemote(
  text: string,
  registry: RegistryOptions,
  context: Pick<Context, 'signal' | 'options'>,
  work: (provider: Provider, target: Descriptor, name: string) => Promise<void>,
): Promise<void> {
  const reference = fullReference(text)
  const { signal } = context
  await withResolver(reference, registry, context, async resolver => {
    const target = await resolver.resolve(reference, { signal })
    await work(cached(await resolver.fetcher(reference, { signal })), target, reference)
  })
}
