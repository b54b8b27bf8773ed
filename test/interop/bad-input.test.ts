import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Descriptor, descriptorOf } from '../../src/oci/descriptor.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { growFileSystem, readOnlyView, smallFileSystem } from '../support/mounts.ts'
import { absentDigest, startRegistry, type TestRegistry } from '../support/registry.ts'
import { dropAfter, endless, htmlPage, status, wrongBytes } from '../support/registry-faults.ts'
import { orlop } from '../support/run.ts'
import { corruptDigests, storedDigests } from '../support/store-files.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const MiB = 1024 ** 2

/** The documented exit codes: docs/errors.md. */
const exits = {
  failure: 1,
  invalid: 2,
  notFound: 3,
  corrupt: 5,
  denied: 6,
  unavailable: 7,
  exhausted: 8,
} as const

/** What a command must end with: its exit code, and the one line on stderr. */
interface Failure {
  readonly exit: number
  readonly says: readonly RegExp[]
  /** True: the same pull works once the registry has no more faults. */
  readonly heals?: boolean
}

/** Makes a registry answer badly; gives the reference to pull. */
type Prepare = (registry: TestRegistry) => string

// Titles are sentences: `pull of an image …`.
const pullFails = test.macro({
  async exec(t, _what: string, prepare: Prepare, failure: Failure) {
    t.timeout(180_000)
    const registry = await startRegistry(t)
    const root = await storeWithAnImage(t, registry, await temporaryDirectory(t))
    const before = await stateOf(root)
    const pull = ['--root', root, 'images', 'pull', '--all-platforms', prepare(registry)]
    await fails(t, pull, failure)
    await isUnharmed(t, root, before)
    registry.heal()
    const healed = await orlop(['--quiet', ...pull])
    if (failure.heals) t.is(healed.code, 0, healed.stderr)
    else t.not(healed.code, 0, 'it is the image that is bad')
    t.deepEqual(await corruptDigests(root), [])
  },
  title: (_, what) => `images pull of ${what} says so and leaves the store as it was`,
})

test(
  pullFails,
  'a blob that is not what its digest says',
  registry => {
    registry.always(/^GET .*\/blobs\//, wrongBytes)
    return image(registry, randomBytes(100_000))
  },
  { exit: exits.corrupt, says: [/sha256:[0-9a-f]{64}/, /bytes/], heals: true },
)

test(
  pullFails,
  'a blob that is longer than its descriptor says',
  registry => imageOf(registry, { ...registry.blob('bad', randomBytes(100_000)), size: 99_999 }),
  { exit: exits.corrupt, says: [/sha256:[0-9a-f]{64}/, /99999|100000/] },
)

test(
  pullFails,
  'a blob that is shorter than its descriptor says',
  registry => imageOf(registry, { ...registry.blob('bad', randomBytes(100_000)), size: 100_001 }),
  { exit: exits.corrupt, says: [/sha256:[0-9a-f]{64}/, /100000|100001/] },
)

test(
  pullFails,
  'a blob whose body always breaks off',
  registry => {
    const reference = image(registry, randomBytes(100_000))
    registry.always(/^GET .*\/blobs\//, dropAfter(0))
    return reference
  },
  { exit: exits.unavailable, says: [/sha256:[0-9a-f]{64}/, /127\.0\.0\.1/], heals: true },
)

test(
  pullFails,
  'a blob without end',
  registry => {
    const layer = registry.blob('bad', randomBytes(100_000))
    registry.always(new RegExp(`^GET .*/blobs/${layer.digest}`), endless)
    return imageOf(registry, layer)
  },
  { exit: exits.corrupt, says: [/sha256:[0-9a-f]{64}/, /100000/], heals: true },
)

test(
  pullFails,
  'a manifest without end',
  registry => {
    registry.always(/^GET .*\/bad\/manifests\//, endless)
    return image(registry, randomBytes(10))
  },
  { exit: exits.exhausted, says: [/bad@sha256:[0-9a-f]{64}/, /4194304/], heals: true },
)

test(
  pullFails,
  'a manifest of 5 MiB',
  registry => {
    const annotations = { padding: 'x'.repeat(5 * MiB) }
    return put(registry, { mediaType: mediaTypes.ociIndex, manifests: [], annotations })
  },
  { exit: exits.exhausted, says: [/bad:1/, /4194304/] },
)

test(
  pullFails,
  'a page of HTML instead of a manifest',
  registry => {
    registry.always(/\/bad\/manifests\//, htmlPage)
    return image(registry, randomBytes(10))
  },
  { exit: exits.invalid, says: [/bad:1/, /HTML/], heals: true },
)

test(
  pullFails,
  'a page of HTML that claims to be a manifest',
  registry => {
    registry.put('bad', '1', '<!DOCTYPE html><html>Please log in</html>')
    return `${registry.host}/bad:1`
  },
  { exit: exits.invalid, says: [/sha256:[0-9a-f]{64}|bad/, /JSON/] },
)

test(
  pullFails,
  'an index that claims to hold itself',
  registry => {
    // No index can name its own digest; this one names another, under which it is served.
    const claimed = { mediaType: mediaTypes.ociIndex, digest: absentDigest, size: 300 }
    const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [claimed] }
    const body = JSON.stringify(document).padEnd(300)
    registry.put('bad', '1', body, mediaTypes.ociIndex)
    registry.always(
      new RegExp(`/manifests/${absentDigest}`),
      status(200, { 'content-type': mediaTypes.ociIndex }, body),
    )
    return `${registry.host}/bad:1`
  },
  { exit: exits.corrupt, says: [new RegExp(absentDigest)] },
)

test(
  pullFails,
  'indexes nested a thousand deep',
  registry => {
    image(registry, randomBytes(10))
    let inner = registry.put(
      'bad',
      undefined,
      { mediaType: mediaTypes.ociIndex, manifests: [] },
      mediaTypes.ociIndex,
    )
    for (let depth = 0; depth < 1000; depth++) {
      const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [inner] }
      inner = registry.put('bad', '1', document, mediaTypes.ociIndex)
    }
    return `${registry.host}/bad:1`
  },
  { exit: exits.invalid, says: [/deep/, /sha256:[0-9a-f]{64}/] },
)

test(
  pullFails,
  'an index with a path for every atom (two ways down, sixty times)',
  registry => {
    let inner: Descriptor = absentImage(registry)
    for (let depth = 0; depth < 60; depth++) {
      const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [inner, inner] }
      inner = registry.put('bad', '1', document, mediaTypes.ociIndex)
    }
    return `${registry.host}/bad:1`
  },
  { exit: exits.notFound, says: [/sha256:[0-9a-f]{64}/] },
)

test(pullFails, 'an image that is not there', registry => `${registry.host}/none:1`, {
  exit: exits.notFound,
  says: [/none:1/],
})

test(
  pullFails,
  'an image that wants a password, without one',
  registry => {
    registry.always(/\/bad\//, status(401, { 'www-authenticate': 'Basic realm="keep out"' }))
    return image(registry, randomBytes(10))
  },
  { exit: exits.denied, says: [/127\.0\.0\.1/, /credential|log in|login|password/i], heals: true },
)

test(
  pullFails,
  'an image that wants a token which nobody gives out',
  registry => {
    const challenge = `Bearer realm="http://${registry.host}/token",service="keep out"`
    registry.always(/\/bad\//, status(401, { 'www-authenticate': challenge }))
    registry.always(/\/token/, status(401))
    return image(registry, randomBytes(10))
  },
  { exit: exits.denied, says: [/127\.0\.0\.1/], heals: true },
)

test('images pull from a port where nobody listens says so and leaves the store as it was', async t => {
  const root = await storeWithAnImage(t, await startRegistry(t), await temporaryDirectory(t))
  const before = await stateOf(root)
  const host = `127.0.0.1:${await closedPort()}`
  const pull = ['--root', root, 'images', 'pull', `${host}/bad:1`]
  await fails(t, pull, { exit: exits.unavailable, says: [new RegExp(host), /refuses connections/] })
  await isUnharmed(t, root, before)
})

test(pullFails, 'an image of a host that does not exist', () => 'registry.orlop.invalid/bad:1', {
  exit: exits.unavailable,
  says: [/registry\.orlop\.invalid/],
})

test('images pull onto a full disk says so and leaves the store as it was', async t => {
  const directory = await smallFileSystem(t, 8 * MiB)
  if (directory === undefined) return skip(t, 'a small file system cannot be mounted here')
  const registry = await startRegistry(t)
  const root = await storeWithAnImage(t, registry, directory)
  const before = await stateOf(root)
  const large = image(registry, randomBytes(16 * MiB))
  const pull = ['--root', root, 'images', 'pull', '--all-platforms', large]
  await fails(t, pull, { exit: exits.exhausted, says: [/no space/i, new RegExp(directory)] })
  // With no byte free LevelDB cannot be opened: all is there once there is room.
  t.true(await growFileSystem(directory, 32 * MiB))
  await isUnharmed(t, root, before)
  const { code, stderr } = await orlop(['--quiet', ...pull])
  t.is(code, 0, stderr)
})

test('images pull into a read-only root says so and leaves the store as it was', async t => {
  const registry = await startRegistry(t)
  const root = await storeWithAnImage(t, registry, await temporaryDirectory(t))
  const view = await readOnlyView(t, root)
  if (view === undefined) return skip(t, 'nothing can be mounted read-only here')
  const before = await stateOf(root)
  const reference = image(registry, randomBytes(100))
  const pull = ['--root', view, 'images', 'pull', '--all-platforms', reference]
  await fails(t, pull, { exit: exits.denied, says: [/read-only/, new RegExp(view)] })
  await isUnharmed(t, root, before)
})

test('images pull into a root that is a file says so and leaves the file as it was', async t => {
  const root = path.join(await temporaryDirectory(t), 'file')
  await fs.writeFile(root, 'mine')
  const pull = ['--root', root, 'images', 'pull', 'localhost:1/a:1']
  await fails(t, pull, { exit: exits.failure, says: [new RegExp(root), /file/] })
  t.is(await fs.readFile(root, 'utf8'), 'mine')
})

const commandFails = test.macro({
  async exec(t, args: readonly string[], failure: Failure) {
    const root = await storeWithAnImage(t, await startRegistry(t), await temporaryDirectory(t))
    const before = await stateOf(root)
    await fails(t, ['--root', root, ...args], failure)
    await isUnharmed(t, root, before)
  },
  title: (_, args: readonly string[], _failure: Failure) =>
    `orlop ${JSON.stringify(args)} says what is wrong and leaves the store as it was`,
})

const invalid = (...says: readonly RegExp[]): Failure => ({ exit: exits.invalid, says })

test(commandFails, ['images', 'pull', 'UPPER/case:1'], invalid(/UPPER\/case:1/))
test(commandFails, ['images', 'pull', 'localhost:1/a@sha256:short'], invalid(/sha256:short/))
test(commandFails, ['images', 'pull', ''], invalid(/reference/))
test(
  commandFails,
  ['images', 'pull', '--platform', 'li nux/amd64', 'localhost:1/a:1'],
  invalid(/li nux\/amd64/),
)
test(commandFails, ['images', 'pull', '--platform', 'a/b/c/d', 'localhost:1/a:1'], invalid(/a\/b\/c\/d/))
test(commandFails, ['frobnicate'], invalid(/frobnicate/))
test(commandFails, ['images', 'frobnicate'], invalid(/frobnicate/))
test(commandFails, ['images', 'list', '--frobnicate'], invalid(/--frobnicate/))
test(commandFails, ['images', 'pull'], invalid(/reference|image/))

/** Serves an image of one sound layer; its reference. */
const image = (registry: TestRegistry, layer: Uint8Array): string =>
  imageOf(registry, registry.blob('bad', layer))

/** Serves an image whose layer is what the descriptor claims; its reference. */
const imageOf = (registry: TestRegistry, layer: Descriptor): string => {
  const json = JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [] },
  })
  const config = registry.blob('bad', json, mediaTypes.ociConfig)
  return put(registry, { mediaType: mediaTypes.ociManifest, config, layers: [layer] })
}

const put = (
  registry: TestRegistry,
  document: { readonly mediaType: string; readonly [field: string]: unknown },
): string => {
  registry.put('bad', '1', { schemaVersion: 2, ...document }, document.mediaType)
  return `${registry.host}/bad:1`
}

/** The descriptor of a manifest that the registry does not have. */
const absentImage = ({ host }: TestRegistry): Descriptor =>
  descriptorOf(mediaTypes.ociManifest, Buffer.from(`{"absent":"${host}"}`))

const storeWithAnImage = async (
  t: ExecutionContext,
  registry: TestRegistry,
  directory: string,
): Promise<string> => {
  const root = path.join(directory, 'root')
  registry.image('good', '1', randomBytes(10_000))
  const { code, stderr } = await orlop([
    '--root',
    root,
    'images',
    'pull',
    '--all-platforms',
    `${registry.host}/good:1`,
  ])
  t.is(code, 0, stderr)
  return root
}

/** What must not change: the image records, and the blobs. */
interface StoreState {
  readonly images: string
  readonly digests: readonly string[]
}

const stateOf = async (root: string): Promise<StoreState> => {
  const { stdout } = await orlop(['--root', root, '--json', 'images', 'list'])
  return { images: stdout, digests: await storedDigests(root) }
}

const isUnharmed = async (t: ExecutionContext, root: string, before: StoreState): Promise<void> => {
  const after = await stateOf(root)
  t.is(after.images, before.images)
  t.deepEqual(
    before.digests.filter(digest => !after.digests.includes(digest)),
    [],
  )
  t.deepEqual(await corruptDigests(root), [])
  const check = await orlop(['--root', root, '--json', 'images', 'check', '--deep'])
  t.is(check.code, 0, check.stdout + check.stderr)
}

const fails = async (
  t: ExecutionContext,
  args: readonly string[],
  { exit, says }: Failure,
): Promise<void> => {
  const { code, stderr } = await orlop(['--quiet', ...args], { deadline: 150_000 })
  t.is(code, exit, stderr)
  t.regex(stderr, /^orlop: [^\n]+\n$/, 'one line')
  for (const pattern of says) t.regex(stderr, pattern)
  // No secret, no stack, no internals.
  t.notRegex(stderr, /\bat .*\.js:\d+|node:internal|\[object /)
}

const skip = (t: ExecutionContext, why: string): void => {
  t.log(`skipped: ${why}`)
  t.pass()
}

const closedPort = async (): Promise<number> => {
  const server = net.createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return address !== null && typeof address === 'object' ? address.port : 1
}
