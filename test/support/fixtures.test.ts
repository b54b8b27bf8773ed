import test from 'ava'
import { blobsOf, factsOf, platformText } from './facts.ts'
import { type FixtureName, type Fixtures, fixtureNames, startFixtures } from './fixtures.ts'
import { isInstalled } from './installed.ts'
import { blobFile, digestOf } from './layout.ts'
import { testWith } from './programs.ts'
import { output } from './run.ts'
import { afterFile } from './tmp.ts'

const programs = ['docker-registry', 'skopeo', 'umoci', 'zstd'] as const
const withPrograms = testWith(...programs)

const file = afterFile(test.after.always)
let fixtures: Fixtures
test.before(async () => {
  if (programs.every(isInstalled)) fixtures = await startFixtures(file)
})

const platforms: Readonly<Record<FixtureName, readonly string[]>> = {
  'multi-platform': ['linux/amd64', 'linux/arm64/v8', 'linux/arm/v7', 'windows(10.0.20348.2762)/amd64'],
  'single-manifest': ['linux/arm64/v8'],
  'docker-schema2': ['linux/amd64'],
  'docker-manifest-list': ['linux/amd64', 'linux/arm64/v8'],
  'zstd-layers': ['linux/amd64', 'linux/arm64/v8'],
  attestation: ['linux/amd64', 'unknown/unknown'],
  'nested-index': ['linux/amd64', 'linux/arm64/v8', 'windows(10.0.20348.2762)/amd64'],
  'entry-without-platform': ['linux/amd64', 'linux/arm64/v8'],
  'foreign-layer': ['windows(10.0.20348.2762)/amd64'],
  'foreign-layer-elsewhere': ['windows(10.0.20348.2762)/amd64'],
  artifact: ['-'],
  'many-layers': ['linux/amd64'],
  'empty-layer': ['linux/amd64'],
}

for (const name of fixtureNames) {
  withPrograms(`startFixtures() serves ${name} with the platforms it should have`, async t => {
    const { manifests } = await factsOf(fixtures.reference(name))
    t.deepEqual(
      manifests.map(({ platform }) => platformText(platform)),
      platforms[name],
    )
  })

  withPrograms(`startFixtures() serves every blob of ${name}`, async t => {
    const facts = await factsOf(fixtures.reference(name))
    for (const { digest, size, urls = [] } of blobsOf(facts)) {
      const own = ['blobs', 'manifests'].map(
        kind => `${fixtures.registry.url}/v2/fixtures/${name}/${kind}/${digest}`,
      )
      const bytes = await firstFound([...own, ...urls])
      t.is(digestOf(bytes), digest)
      t.is(bytes.byteLength, size)
    }
  })
}

withPrograms('startFixtures() makes images whose diff ids are those of the uncompressed layers', async t => {
  const ofLayers = fixtureNames.filter(name => name !== 'artifact' && name !== 'attestation')
  for (const name of ofLayers) {
    for (const { layers, diffIds } of (await factsOf(fixtures.reference(name))).manifests) {
      const hashed = await Promise.all(layers.map(({ digest }) => uncompressedDigest(digest)))
      t.deepEqual(hashed, diffIds, name)
    }
  }
})

withPrograms('startFixtures() makes the kinds of document and layer that it is asked for', async t => {
  const factsFor = (name: FixtureName) => factsOf(fixtures.reference(name))
  t.regex((await factsFor('docker-manifest-list')).target.mediaType, /manifest\.list\.v2\+json$/)
  t.regex((await factsFor('docker-schema2')).target.mediaType, /distribution\.manifest\.v2\+json$/)
  const [zstd] = (await factsFor('zstd-layers')).manifests
  t.true(zstd?.layers.every(({ mediaType }) => mediaType.endsWith('+zstd')))
  const [amd64, , windows] = (await factsFor('nested-index')).manifests
  t.is(amd64?.indexes.length, 2)
  t.is(windows?.indexes.length, 1)
  const [unmarked] = (await factsFor('entry-without-platform')).manifests
  t.is(unmarked?.descriptor.platform, undefined)
  const [many] = (await factsFor('many-layers')).manifests
  t.is(many?.layers.length, 128)
  t.is(new Set(many?.layers.map(({ digest }) => digest)).size, 128)
  const [withEmpty] = (await factsFor('empty-layer')).manifests
  t.is(withEmpty?.layers.at(-1)?.size, 0)
  const [foreign] = (await factsFor('foreign-layer')).manifests
  t.regex(foreign?.layers[0]?.mediaType ?? '', /nondistributable/)
})

const firstFound = async (urls: readonly string[]): Promise<Uint8Array> => {
  const accept = ['manifest.v1', 'index.v1'].map(type => `application/vnd.oci.image.${type}+json`)
  const docker = ['manifest.v2', 'manifest.list.v2'].map(
    type => `application/vnd.docker.distribution.${type}+json`,
  )
  for (const url of urls) {
    const response = await fetch(url, { headers: { accept: [...accept, ...docker].join(',') } })
    const bytes = new Uint8Array(await response.arrayBuffer())
    if (response.ok) return bytes
  }
  throw new Error(`not found: ${urls.join(', ')}`)
}

const uncompressedDigest = async (digest: string): Promise<string> => {
  const sum = await output('sh', [
    '-c',
    'zstd -dcf -- "$1" | sha256sum',
    'sh',
    blobFile(fixtures.layout, digest),
  ])
  return `sha256:${sum.slice(0, 64)}`
}
