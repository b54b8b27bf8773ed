// Copies an image, with all its platforms, from one place to another; `store:` is the store under the first argument.
//   node dist/examples/copy.js /tmp/store docker://docker.io/library/busybox:latest oci:/tmp/layout:busybox
import { pathToFileURL } from 'node:url'
import { copyPlaces, lookup, parsePlace, Runtime } from 'orlop'
import { RegistryResolver } from 'orlop/registry'

export async function copyImage(root: string, source: string, destination: string, signal?: AbortSignal) {
  await using runtime = await Runtime.open({ root }, { signal })
  await using resolver = new RegistryResolver()
  const parts = { resolver, store: runtime.scope('default'), find: lookup }
  return await copyPlaces(
    parsePlace(source),
    parsePlace(destination),
    { source: parts, destination: parts },
    { multiArch: 'all', signal },
  )
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [root = '', source = '', destination = ''] = process.argv.slice(2)
  const { places, target, totals } = await copyImage(root, source, destination)
  console.log(places.destination, target.digest, `${totals.fetched} bytes copied`)
}
