// What does a registry have of an image: its tags, what refers to it, how big it is? Pulls nothing.
//   node dist/examples/look.js docker.io/library/busybox:latest
import { pathToFileURL } from 'node:url'
import { anyPlatform, parseReference, repositoryName } from 'orlop'
import { cached } from 'orlop/content'
import { size } from 'orlop/images'
import { RegistryResolver } from 'orlop/registry'

export async function look(reference: string, signal?: AbortSignal) {
  await using resolver = new RegistryResolver()
  const repository = await resolver.repository(repositoryName(parseReference(reference)), { signal })
  const target = await resolver.resolve(reference, { signal })
  const tags: string[] = []
  for await (const tag of repository.tags({ signal })) tags.push(tag)
  const referrers: string[] = []
  for await (const { artifactType, digest } of repository.referrers(target.digest, { signal }))
    referrers.push(`${artifactType} ${digest}`)
  return { tags, referrers, bytes: await size(cached(repository), target, { platform: anyPlatform, signal }) }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { tags, referrers, bytes } = await look(process.argv[2] ?? '')
  console.log(`${bytes} bytes`)
  for (const tag of tags) console.log('tag', tag)
  for (const referrer of referrers) console.log('referrer', referrer)
}
