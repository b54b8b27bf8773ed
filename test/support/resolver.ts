import { noCredentials } from '../../src/remotes/registry/credentials.ts'
import { RegistryResolver, type RegistryResolverOptions } from '../../src/remotes/registry/resolver.ts'
import type { Teardown } from './tmp.ts'

/** A resolver without credentials that does not really wait; `waits` has the milliseconds it would have. */
export function quickResolver(t: Teardown, options: RegistryResolverOptions = {}) {
  const waits: number[] = []
  const resolver = new RegistryResolver({
    credentials: noCredentials,
    ...options,
    retry: {
      random: () => 1,
      sleep: async ms => {
        waits.push(ms)
      },
      ...options.retry,
    },
  })
  t.teardown(() => resolver.close())
  return { resolver, waits }
}

/** All bytes of a source. */
export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks)
}
