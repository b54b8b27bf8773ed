import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { blobsOf, factsOf, type ImageFacts, type ManifestFacts, platformText } from '../support/facts.ts'
import { type FixtureName, type Fixtures, fixtureNames, startFixtures } from '../support/fixtures.ts'
import { isInstalled, type Program } from '../support/installed.ts'
import type { RawDescriptor, RawPlatform } from '../support/layout.ts'
import { testWith } from '../support/programs.ts'
import { orlop } from '../support/run.ts'
import { corruptDigests, storedDigests, storedIngests } from '../support/store-files.ts'
import { afterFile, temporaryDirectory } from '../support/tmp.ts'

const programs: readonly Program[] = ['docker-registry', 'skopeo', 'umoci', 'zstd']
const interop = testWith(...programs)
const file = afterFile(test.after.always)
let fixtures: Fixtures
test.before(async () => {
  if (programs.every(isInstalled)) fixtures = await startFixtures(file)
})

/** What `orlop --json …` prints. */
interface Shapes {
  list: readonly { name: string; target: RawDescriptor; platforms: readonly string[] }[]
  size: { sizes: readonly { platform: string; bytes: number }[] }
  platforms: readonly RawPlatform[]
  check: readonly { complete: boolean; state: string; entries: readonly unknown[] }[]
  inspect: readonly { nodes: readonly { descriptor: RawDescriptor; present: boolean; content?: unknown }[] }[]
}

const ask = async <Verb extends keyof Shapes>(
  t: ExecutionContext,
  root: string,
  verb: Verb,
  ...args: readonly string[]
): Promise<Shapes[Verb]> => {
  const { code, stdout, stderr } = await orlop(['--root', root, '--json', 'images', verb, ...args])
  t.is(code, 0, stderr)
  return JSON.parse(stdout)
}

for (const name of fixtureNames) {
  interop(
    `images pull --all-platforms of ${name}: everything there is to know is as skopeo says`,
    async t => {
      const reference = fixtures.reference(name)
      const facts = await factsOf(reference)
      const root = await pulled(t, name)
      t.deepEqual(await storedDigests(root), blobsOf(facts).map(digestOfDescriptor).toSorted())
      t.deepEqual(await corruptDigests(root), [])
      t.deepEqual(await storedIngests(root), [])
      const [image] = await ask(t, root, 'list')
      t.is(image?.name, reference)
      t.like(image?.target, { digest: facts.target.digest, size: facts.target.size })
      const [checked] = await ask(t, root, 'check', '--all-platforms', '--deep', reference)
      t.like(checked, { complete: true, state: 'complete' })
      t.is(checked?.entries.length, facts.manifests.length)
      await comparePlatforms(t, root, reference, facts)
      await compareSizes(t, root, reference, facts)
      await compareConfigs(t, root, reference, facts)
    },
  )
}

const comparePlatforms = async (
  t: ExecutionContext,
  root: string,
  reference: string,
  { manifests }: ImageFacts,
): Promise<void> => {
  const offered = (await ask(t, root, 'platforms', reference)).map(platformText)
  t.deepEqual(offered.map(normal).toSorted(), realPlatforms(manifests).map(normal).toSorted())
}

const compareSizes = async (
  t: ExecutionContext,
  root: string,
  reference: string,
  { manifests }: ImageFacts,
): Promise<void> => {
  for (const facts of manifests.filter(({ platform }) => platform?.os !== 'unknown')) {
    const text = platformText(facts.platform)
    const platform = text === '-' ? [] : ['--platform', text]
    const { sizes } = await ask(t, root, 'size', ...platform, reference)
    t.deepEqual(
      sizes.map(({ bytes }) => bytes),
      [sizeOf(facts)],
      text,
    )
  }
}

const compareConfigs = async (
  t: ExecutionContext,
  root: string,
  reference: string,
  { manifests }: ImageFacts,
): Promise<void> => {
  const [inspected] = await ask(t, root, 'inspect', '--content', reference)
  const nodes = new Map(inspected?.nodes.map(node => [node.descriptor.digest, node]))
  for (const { descriptor, config, layers, diffIds } of manifests) {
    for (const { digest, size, mediaType } of [descriptor, config, ...layers]) {
      t.like(nodes.get(digest), { present: true, descriptor: { digest, size, mediaType } })
    }
    t.deepEqual(diffIdsIn(nodes.get(config.digest)?.content), diffIds)
  }
}

interop(
  'images pull of one platform fetches that platform alone, and check says what is missing',
  async t => {
    const reference = fixtures.reference('multi-platform')
    const { target, manifests } = await factsOf(reference)
    const root = path.join(await temporaryDirectory(t), 'root')
    const { code, stderr } = await orlop([
      '--root',
      root,
      'images',
      'pull',
      '--platform',
      'linux/arm64',
      reference,
    ])
    t.is(code, 0, stderr)
    const arm64 = manifests.filter(({ platform }) => platform?.architecture === 'arm64')
    const wanted = blobsOf({ target, manifests: arm64 }).map(digestOfDescriptor)
    t.deepEqual(await storedDigests(root), wanted.toSorted())
    const arguments_ = ['--root', root, 'images', 'check']
    t.is((await orlop([...arguments_, '--platform', 'linux/arm64', reference])).code, 0)
    const all = await orlop([...arguments_, '--all-platforms', reference])
    t.is(all.code, 4)
    t.regex(all.stdout, /linux\/arm64.* complete /)
    t.is(all.stdout.match(/ missing \(/g)?.length, 3)
  },
)

interop('images pull of a platform that the image has not says which it has', async t => {
  const root = path.join(await temporaryDirectory(t), 'root')
  const reference = fixtures.reference('multi-platform')
  const pull = ['--root', root, '--quiet', 'images', 'pull', '--platform', 'linux/s390x', reference]
  const { code, stderr } = await orlop(pull)
  t.is(code, 3)
  t.regex(stderr, /^orlop: [^\n]*linux\/s390x[^\n]*linux\/arm\/v7[^\n]*\n$/)
  t.deepEqual(await storedDigests(root), [])
})

interop('images pull refuses a foreign layer at a private address, unless it may', async t => {
  const root = path.join(await temporaryDirectory(t), 'root')
  const reference = fixtures.reference('foreign-layer-elsewhere')
  const { code, stderr } = await orlop([
    '--root',
    root,
    '--quiet',
    'images',
    'pull',
    '--all-platforms',
    reference,
  ])
  t.is(code, 6)
  t.regex(stderr, /^orlop: [^\n]*127\.0\.0\.1[^\n]*\n$/)
  t.deepEqual(JSON.parse((await orlop(['--root', root, '--json', 'images', 'list'])).stdout), [])
})

interop('images pull a second time fetches nothing', async t => {
  const root = await pulled(t, 'multi-platform')
  const reference = fixtures.reference('multi-platform')
  const again = await orlop(['--root', root, '--json', 'images', 'pull', '--all-platforms', reference])
  t.is(again.code, 0, again.stderr)
  t.is(JSON.parse(again.stdout).bytes.fetched, 0)
})

const pulled = async (t: ExecutionContext, name: FixtureName): Promise<string> => {
  const root = path.join(await temporaryDirectory(t), 'root')
  // The foreign layer's URL is on loopback here.
  const allow = name === 'foreign-layer-elsewhere' ? ['--allow-private-urls'] : []
  const reference = fixtures.reference(name)
  const { code, stderr } = await orlop([
    '--root',
    root,
    'images',
    'pull',
    '--all-platforms',
    ...allow,
    reference,
  ])
  t.is(code, 0, stderr)
  return root
}

const digestOfDescriptor = ({ digest }: RawDescriptor): string => digest

const sizeOf = ({ indexes, descriptor, config, layers }: ManifestFacts): number =>
  [...indexes, descriptor, config, ...layers].reduce((sum, { size }) => sum + size, 0)

const realPlatforms = (manifests: readonly ManifestFacts[]): readonly string[] =>
  manifests
    .map(({ platform }) => platformText(platform))
    .filter(text => text !== '-' && !text.startsWith('unknown'))

/** 64-bit ARM has one variant that need not be said. */
const normal = (platform: string): string => platform.replace(/\/arm64\/v8$/, '/arm64')

const diffIdsIn = (config: unknown): unknown => {
  const { rootfs } = (config ?? {}) as { readonly rootfs?: { readonly diff_ids?: unknown } }
  return rootfs?.diff_ids ?? []
}
