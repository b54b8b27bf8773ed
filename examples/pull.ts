// Pulls an image for one platform into a store and tells what of it is here.
//   node dist/examples/pull.js /tmp/store docker.io/library/busybox:latest linux/arm64
import { pathToFileURL } from 'node:url'
import { only, parsePlatform, pull, Runtime } from 'orlop'
import { completeness } from 'orlop/images'
import { RegistryResolver } from 'orlop/registry'

export async function pullOne(root: string, reference: string, platform: string, signal?: AbortSignal) {
  await using runtime = await Runtime.open({ root }, { signal })
  await using resolver = new RegistryResolver()
  const scope = runtime.scope('default')
  const { image, totals } = await pull({ resolver, scope }, reference, {
    platforms: [{ matcher: only(parsePlatform(platform)), text: platform }],
    signal,
  })
  const { entries } = await completeness(scope.disk, image.target, { signal })
  return { image, totals, entries }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [root = '', reference = '', platform = 'linux/amd64'] = process.argv.slice(2)
  const { image, totals, entries } = await pullOne(root, reference, platform)
  console.log(image.name, image.target.digest, `${totals.fetched} bytes fetched`)
  for (const { platform: found, state, blobs } of entries) {
    console.log(found?.architecture ?? '-', state, `${blobs.present}/${blobs.required} blobs`)
  }
}
