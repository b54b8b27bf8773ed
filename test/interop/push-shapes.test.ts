import { gzipSync } from 'node:zlib'
import { copyBlob } from '../../src/content/copy.ts'
import { children } from '../../src/handlers/children.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { copyGraph } from '../../src/remotes/copy.ts'
import { randomBytes } from '../support/bytes.ts'
import {
  attestation,
  Blobs,
  blob,
  config,
  dockerList,
  dockerManifest,
  emptyConfig,
  flat,
  index,
  layer,
  manifest,
  manifestWith,
  type Node,
  on,
} from '../support/image.ts'
import { testWith } from '../support/programs.ts'
import { type RegistryShape, registryShapes, writableShapes } from '../support/registry-shapes.ts'
import { collect, quickResolver } from '../support/resolver.ts'
import { output } from '../support/run.ts'

const interop = testWith('docker-registry', 'skopeo')

const gzipped = (bytes: string | Uint8Array, mediaType?: string): Node => layer(gzipSync(bytes), mediaType)
const one = (platform: string): Node =>
  on(platform, manifest(config({ platform }), gzipped(`of ${platform}`)))
const { dockerConfig, dockerLayerGzip } = mediaTypes
const docker = (platform: string): Node =>
  on(
    platform,
    dockerManifest(config({ platform, mediaType: dockerConfig }), gzipped(platform, dockerLayerGzip)),
  )
const arm = one('linux/arm64')
const large = on(
  'linux/s390x',
  manifest(config({ platform: 'linux/s390x' }), layer(randomBytes('large', 3_000_000))),
)

/** Every kind of document that a registry may be given. */
const images: Readonly<Record<string, Node>> = {
  manifest: one('linux/amd64'),
  index: index(one('linux/amd64'), arm, attestation(arm), large),
  nested: index(index(arm), index(large)),
  'docker-manifest': docker('linux/amd64'),
  'docker-list': dockerList(docker('linux/amd64'), docker('linux/arm64')),
  artifact: manifestWith(
    { artifactType: 'application/vnd.example' },
    emptyConfig(),
    blob('text/plain', 'hello'),
  ),
  empty: manifest(config(), layer('')),
}

const pushes = ({ name, start }: RegistryShape): void =>
  interop(
    `what is pushed to a registry of the shape ${name} is there byte for byte, and is not sent twice`,
    async t => {
      const { host, options, skopeo } = await start(t)
      const { resolver } = quickResolver(t, options)
      for (const [tag, root] of Object.entries(images)) {
        const reference = `${host}/team/app:${tag}`
        const source = new Blobs(root)
        const pusher = await resolver.pusher(`${reference}@${root.desc.digest}`)
        await copyGraph(source, pusher, root.desc, children(source))
        const from = await resolver.fetcher(reference)
        for (const { desc, bytes } of flat(root)) t.true((await collect(from.read(desc))).equals(bytes))
        const raw = await output('skopeo', ['inspect', '--raw', ...skopeo, `docker://${reference}`])
        t.is(raw, Buffer.from(root.bytes).toString())
        const leaf = flat(root).at(-1)
        await t.throwsAsync(pusher.writer({ ref: 'again', expected: leaf?.desc }), { code: 'ALREADY_EXISTS' })
      }
      const { index: root } = images
      const mounted: string[] = []
      const pusher = await resolver.pusher(`${host}/team/other:1@${root?.desc.digest}`, {
        sources: async () => ['team/app'],
        onMounted: (_, from) => mounted.push(from),
      })
      if (root) await copyGraph(new Blobs(root), pusher, root.desc, children(new Blobs(root)))
      t.is(
        mounted.length,
        new Set(
          flat(...(root ? [root] : []))
            .filter(({ below }) => below.length === 0)
            .map(({ desc }) => desc.digest),
        ).size,
      )
    },
  )

for (const shape of writableShapes) pushes(shape)

for (const { name, start, writable } of registryShapes.filter(shape => !shape.writable)) {
  interop(`a registry of the shape ${name} says that it takes nothing`, async t => {
    const { host, options } = await start(t)
    const { resolver } = quickResolver(t, options)
    const bytes = Buffer.from('hello')
    const node = layer(bytes)
    await t.throwsAsync(copyBlob(new Blobs(node), await resolver.pusher(`${host}/app`), node.desc), {
      code: 'UNIMPLEMENTED',
      message: /does not allow POST \(405\).*read-only, a mirror/,
    })
    t.false(writable)
  })
}
