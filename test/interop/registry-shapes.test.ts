import path from 'node:path'
import { gzipSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import { readBlob } from '../../src/content/blob.ts'
import { MemoryStore } from '../../src/content/memory-store.ts'
import { children } from '../../src/handlers/children.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { copyGraph } from '../../src/remotes/copy.ts'
import {
  attestation,
  config,
  dockerList,
  dockerManifest,
  flat,
  index,
  layer,
  manifest,
  type Node,
  on,
} from '../support/image.ts'
import { testWith } from '../support/programs.ts'
import { type Reach, type RegistryShape, registryShapes } from '../support/registry-shapes.ts'
import { quickResolver } from '../support/resolver.ts'
import { output } from '../support/run.ts'
import { writeSkopeoDirectory } from '../support/skopeo-directory.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const interop = testWith('docker-registry', 'skopeo')

const gzipped = (text: string, mediaType?: string): Node => layer(gzipSync(text), mediaType)
const one = (platform: string): Node =>
  on(platform, manifest(config({ platform }), gzipped(`of ${platform}`)))
const { dockerConfig, dockerLayerGzip } = mediaTypes
const docker = (platform: string): Node =>
  on(
    platform,
    dockerManifest(config({ platform, mediaType: dockerConfig }), gzipped(platform, dockerLayerGzip)),
  )
const arm = one('linux/arm64')

/** Every kind of document that a registry may hold under a tag. */
const images: Readonly<Record<string, Node>> = {
  manifest: one('linux/amd64'),
  index: index(one('linux/amd64'), arm, attestation(arm)),
  'docker-manifest': docker('linux/amd64'),
  'docker-list': dockerList(docker('linux/amd64'), docker('linux/arm64')),
}

/** Puts all images into a registry, with skopeo, unchanged. */
async function fill(t: ExecutionContext, { host, to }: Reach): Promise<void> {
  const directory = await temporaryDirectory(t)
  for (const [tag, root] of Object.entries(images)) {
    const from = path.join(directory, tag)
    await writeSkopeoDirectory(from, root)
    const flags = ['--all', '--quiet', '--insecure-policy', '--preserve-digests', ...to]
    await output('skopeo', ['copy', ...flags, `dir:${from}`, `docker://${host}/team/app:${tag}`])
  }
}

const pulls = ({ name, start }: RegistryShape): void =>
  interop(`what skopeo put into a registry of the shape ${name} is pulled byte for byte`, async t => {
    const shaped = await start(t)
    await fill(t, shaped.source)
    const { resolver } = quickResolver(t, shaped.options)
    for (const [tag, root] of Object.entries(images)) {
      const reference = `${shaped.host}/team/app:${tag}`
      const target = await resolver.resolve(reference)
      t.like(target, { digest: root.desc.digest, size: root.desc.size, mediaType: root.desc.mediaType })
      const from = await resolver.fetcher(reference)
      const store = new MemoryStore()
      await copyGraph(from, store, target, children(from))
      for (const { desc, bytes } of flat(root))
        t.deepEqual(Buffer.from(await readBlob(store, desc)), Buffer.from(bytes))
      const raw = await output('skopeo', ['inspect', '--raw', ...shaped.skopeo, `docker://${reference}`])
      t.deepEqual(Buffer.from(await readBlob(store, target)), Buffer.from(raw))
    }
  })

for (const shape of registryShapes) pulls(shape)
