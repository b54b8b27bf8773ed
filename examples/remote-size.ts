// How big is an image, for each of its platforms? Asks the registry; pulls nothing.
//   node dist/examples/remote-size.js docker.io/library/busybox:latest
import { pathToFileURL } from 'node:url'
import { formatPlatform, only } from 'orlop'
import { cached } from 'orlop/content'
import { platforms, size } from 'orlop/images'
import { RegistryResolver } from 'orlop/registry'

export async function remoteSizes(
  reference: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  await using resolver = new RegistryResolver()
  const target = await resolver.resolve(reference, { signal })
  const image = cached(await resolver.fetcher(reference, { signal }))
  const sizes = new Map<string, number>()
  for await (const platform of platforms(image, target, { signal })) {
    sizes.set(formatPlatform(platform), await size(image, target, { platform: only(platform), signal }))
  }
  return sizes
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [platform, bytes] of await remoteSizes(process.argv[2] ?? '')) console.log(platform, bytes)
}
