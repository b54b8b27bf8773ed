import { noCredentials } from '../../src/remotes/registry/credentials.ts'
import { RegistryResolver, type RegistryResolverOptions } from '../../src/remotes/registry/resolver.ts'
import type { Teardown } from './tmp.ts'

/** A resolver without credentials whose clock only waits move; `waits` has the milliseconds it would have waited. */
export function quickResolver(t: Teardown, options: RegistryResolverOptions = {}) {
  const waits: number[] = []
  let waited = 0
  const resolver = new RegistryResolver({
    credentials: noCredentials,
    ...options,
    retry: {
      random: () => 1,
      now: () => Date.now() + waited,
      sleep: async ms => {
        waits.push(ms)
        waited += ms
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
