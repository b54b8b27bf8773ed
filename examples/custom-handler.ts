// A handler of one's own: only layers above a size, wherever the image is.
//   node dist/examples/custom-handler.js docker.io/library/busybox:latest 1000000
import { pathToFileURL } from 'node:url'
import { type Descriptor, isLayer, isManifest } from 'orlop'
import { cached } from 'orlop/content'
import { children, pipe, rewrite, walk } from 'orlop/handlers'
import { RegistryResolver } from 'orlop/registry'

/** A wrap is a function from children to children; it reads nothing and changes nothing. */
const layersOver = (bytes: number) =>
  rewrite<Descriptor>((below, parent) =>
    isManifest(parent) ? below.filter(desc => isLayer(desc) && desc.size > bytes) : below,
  )

export async function largeLayers(
  reference: string,
  bytes: number,
  signal?: AbortSignal,
): Promise<readonly Descriptor[]> {
  await using resolver = new RegistryResolver()
  const root = await resolver.resolve(reference, { signal })
  const handler = pipe(children(cached(await resolver.fetcher(reference, { signal }))), layersOver(bytes))
  const found: Descriptor[] = []
  // `seen` makes the walk visit a layer that several manifests share once.
  for await (const desc of walk(handler, [root], { seen: new Set(), signal }))
    if (isLayer(desc)) found.push(desc)
  return found
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [reference = '', bytes = '0'] = process.argv.slice(2)
  for (const { digest, size } of await largeLayers(reference, Number(bytes))) console.log(digest, size)
}
