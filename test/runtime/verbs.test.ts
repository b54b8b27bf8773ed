import fs from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { copyBlob } from '../../src/content/blob.ts'
import { children } from '../../src/handlers/children.ts'
import { completeness } from '../../src/images/completeness.ts'
import { only } from '../../src/oci/matcher.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { inspect } from '../../src/runtime/inspect.ts'
import { describe } from '../../src/runtime/list.ts'
import { lookup, normalName } from '../../src/runtime/lookup.ts'
import { selectManifests } from '../../src/runtime/select.ts'
import { tag } from '../../src/runtime/tag.ts'
import {
  attestation,
  Blobs,
  blob,
  collect,
  config,
  flat,
  image,
  index,
  layer,
  manifest,
  type Node,
  on,
  platformOf,
  sizeOf,
  withExtra,
} from '../support/image.ts'
import { absentDigest } from '../support/registry.ts'
import { blobFile, openRuntime } from '../support/store.ts'

/** A store with an image in it. */
async function withImage(t: ExecutionContext, root: Node, name = 'docker.io/library/app:latest') {
  const runtime = await openRuntime(t)
  const scope = runtime.scope()
  const source = new Blobs(root)
  for (const { desc } of flat(root)) await copyBlob(source, scope.content, desc)
  const record = await scope.images.create({ name, target: root.desc, labels: { a: '1' } })
  return { ...scope, runtime, record, file: ({ desc }: Node) => blobFile(runtime.root, desc.digest) }
}

const corrupt = async (file: string): Promise<void> => {
  const bytes = await fs.readFile(file)
  await fs.chmod(file, 0o600)
  await fs.writeFile(file, bytes.fill(0x20))
}

const linux = (architecture: string) => only(platformOf(`linux/${architecture}`))

// lookup

test('lookup() takes the exact name, and what Docker would take it for', async t => {
  const { images, record } = await withImage(t, image('linux/amd64'))
  for (const name of ['docker.io/library/app:latest', 'app', 'app:latest', 'library/app', 'docker.io/app']) {
    t.deepEqual(await lookup(images, name), record)
  }
})

test('lookup() prefers the exact name, also one that is no reference', async t => {
  const { images, record } = await withImage(t, image('linux/amd64'))
  await tag(images, record, 'app')
  await tag(images, record, 'No Reference')
  t.is((await lookup(images, 'app')).name, 'app')
  t.is((await lookup(images, 'No Reference')).name, 'No Reference')
})

test('lookup() says what it looked for', async t => {
  const { images } = await withImage(t, image('linux/amd64'))
  await t.throwsAsync(lookup(images, 'other'), {
    code: 'NOT_FOUND',
    message: /image other: not found, nor docker\.io\/library\/other:latest/,
  })
  await t.throwsAsync(lookup(images, 'UPPER CASE'), { code: 'NOT_FOUND', message: /UPPER CASE/ })
})

test('lookup() looks for the names that it is given, in their order', async t => {
  const { images, record } = await withImage(t, image('linux/amd64'))
  for (const name of ['one.test/app:latest', 'two.test/app:latest']) await tag(images, record, name)
  const names = async () => ['none.test/app:latest', 'two.test/app:latest', 'one.test/app:latest']
  t.is((await lookup(images, 'app', { names })).name, 'two.test/app:latest')
  t.is((await lookup(images, 'one.test/app:latest', { names })).name, 'one.test/app:latest')
})

test('lookup() finds a repository by digest, under whatever tag', async t => {
  const { images, record } = await withImage(t, image('linux/amd64'))
  const { digest } = record.target
  await tag(images, record, 'a.test/other:v1')
  for (const name of [`app@${digest}`, `app:any@${digest}`, `docker.io/library/app@${digest}`])
    t.deepEqual(await lookup(images, name), record)
  t.is((await lookup(images, `a.test/other@${digest}`)).name, 'a.test/other:v1')
  await t.throwsAsync(lookup(images, `a.test/app@${digest}`), { code: 'NOT_FOUND' })
  await t.throwsAsync(lookup(images, `app@${absentDigest}`), { code: 'NOT_FOUND' })
})

test('lookup() takes the one image whose name ends in a name without registry', async t => {
  const { images, record } = await withImage(t, image('linux/amd64'))
  for (const name of ['a.test/team/tool:v1', 'b.test/x/same:v1', 'c.test/y/same:v1', 'd.test/last:latest'])
    await tag(images, record, name)
  t.is((await lookup(images, 'tool:v1')).name, 'a.test/team/tool:v1')
  t.is((await lookup(images, 'team/tool:v1')).name, 'a.test/team/tool:v1')
  t.is((await lookup(images, 'last')).name, 'd.test/last:latest')
  t.is((await lookup(images, 'x/same:v1')).name, 'b.test/x/same:v1')
  for (const name of ['tool', 'tool:v2', 'ool:v1', 'eam/tool:v1', 'z.test/tool:v1'])
    await t.throwsAsync(lookup(images, name), { code: 'NOT_FOUND' }, name)
  await t.throwsAsync(lookup(images, 'same:v1'), {
    code: 'FAILED_PRECONDITION',
    message: /may be any of b\.test\/x\/same:v1, c\.test\/y\/same:v1; give the whole name/,
  })
})

test('lookup() takes a digest for the one image that points at it', async t => {
  const { images, record } = await withImage(t, image('linux/amd64'))
  t.deepEqual(await lookup(images, record.target.digest), record)
  await t.throwsAsync(lookup(images, absentDigest), { code: 'NOT_FOUND' })
  await tag(images, record, 'a.test/other:v1')
  await t.throwsAsync(lookup(images, record.target.digest), {
    code: 'FAILED_PRECONDITION',
    message: /may be any of a\.test\/other:v1, docker\.io\/library\/app:latest/,
  })
})

test('normalName() has none for what is no reference', t => {
  t.is(normalName('busybox'), 'docker.io/library/busybox:latest')
  t.is(normalName('Not One'), undefined)
  t.is(normalName(''), undefined)
})

// tag

test('tag() copies target and labels to a new name', async t => {
  const { images, record } = await withImage(t, image('linux/amd64'))
  const created = await tag(images, record, 'copy')
  t.like(created, { name: 'copy', target: record.target, labels: { a: '1' } })
  t.is((await collect(images.list())).length, 2)
})

test('tag() does not take a name that is taken, unless forced', async t => {
  const { images, record } = await withImage(t, image('linux/amd64'))
  const other = image('linux/arm64')
  await images.create({ name: 'taken', target: other.desc, labels: { b: '2' } })
  await t.throwsAsync(tag(images, record, 'taken'), { code: 'ALREADY_EXISTS' })
  t.is((await images.get('taken')).target.digest, other.desc.digest)
  const forced = await tag(images, record, 'taken', { force: true })
  t.is(forced.target.digest, record.target.digest)
  t.deepEqual(forced.labels, { a: '1' })
})

test('tag() of an image onto itself, forced, changes nothing', async t => {
  const { images, record } = await withImage(t, image('linux/amd64'))
  t.like(await tag(images, record, record.name, { force: true }), {
    target: record.target,
    labels: { a: '1' },
  })
})

// describe

const pair = index(image('linux/arm64', 'arm'), image('linux/amd64', 'amd', 'more'))

test('describe() has the size of the platform and all platforms, sorted', async t => {
  const { content, record } = await withImage(t, pair)
  const [arm] = pair.below
  if (arm === undefined) return t.fail()
  t.deepEqual(await describe(content, record, { platform: linux('arm64') }), {
    image: record,
    platforms: ['linux/amd64', 'linux/arm64'],
    size: pair.desc.size + sizeOf(arm),
  })
})

test('describe() falls back to the first platform that is here', async t => {
  const { content, record } = await withImage(t, pair)
  const [arm, amd] = pair.below
  if (arm === undefined || amd === undefined) return t.fail()
  await content.delete(arm.desc.digest)
  const { size } = await describe(content, record, { platform: linux('s390x') })
  t.is(size, pair.desc.size + sizeOf(amd))
})

test('describe() of an image whose index is missing or corrupt tells why instead of failing', async t => {
  const { content, record, file } = await withImage(t, pair)
  await corrupt(file(pair))
  const listed = await describe(content, record)
  t.is(listed.size, undefined)
  t.deepEqual(listed.platforms, [])
  t.regex(listed.problem ?? '', new RegExp(pair.desc.digest))
  await content.delete(pair.desc.digest)
  t.regex((await describe(content, record)).problem ?? '', new RegExp(pair.desc.digest))
})

test('describe() passes an abort on', async t => {
  const { content, record } = await withImage(t, pair)
  const reason = new Error('no')
  t.is(await t.throwsAsync(describe(content, record, { signal: AbortSignal.abort(reason) })), reason)
})

// inspect

test('inspect() names every node with its depth, parents first', async t => {
  const { disk } = await withImage(t, pair)
  const nodes = await collect(inspect(disk, pair.desc))
  t.deepEqual(
    nodes.map(({ descriptor: { digest }, depth, present }) => [digest, depth, present]),
    [
      [pair.desc.digest, 0, true],
      ...pair.below.flatMap(entry => [
        [entry.desc.digest, 1, true],
        ...entry.below.map(({ desc }) => [desc.digest, 2, true]),
      ]),
    ],
  )
  t.true(nodes.every(({ content }) => content === undefined))
})

test('inspect() gives the documents when asked', async t => {
  const { disk } = await withImage(t, pair)
  const nodes = await collect(inspect(disk, pair.desc, { content: true }))
  t.deepEqual(nodes[0]?.content, JSON.parse(Buffer.from(pair.bytes).toString()))
  t.is(nodes.filter(({ content }) => content !== undefined).length, 5)
})

test('inspect() shows what is missing or corrupt, and goes on', async t => {
  const { disk, content, file } = await withImage(t, pair)
  const [arm, amd] = pair.below
  if (arm === undefined || amd === undefined) return t.fail()
  await corrupt(file(arm))
  await content.delete(amd.desc.digest)
  const nodes = await collect(inspect(disk, pair.desc))
  t.deepEqual(
    nodes.map(({ descriptor: { digest }, present }) => [digest, present]),
    [
      [pair.desc.digest, true],
      [arm.desc.digest, true],
      [amd.desc.digest, false],
    ],
  )
  t.regex(nodes[1]?.problem ?? '', new RegExp(arm.desc.digest))
  t.is(nodes[2]?.problem, undefined)
})

test('inspect() shows a config that is no JSON', async t => {
  const broken = manifest(blob(mediaTypes.ociConfig, 'not json'), layer('x'))
  const { disk } = await withImage(t, broken)
  const nodes = await collect(inspect(disk, broken.desc))
  t.is(nodes.length, 3)
  t.truthy(nodes[1]?.problem)
})

test('inspect() shows an entry that names its own index once, and does not go round', async t => {
  const inner = index(image('linux/amd64'))
  // A store that lies: the inner index's bytes are those of one that contains it.
  const loop = index(inner)
  const lying = new Blobs(loop)
  lying.damage(
    inner,
    Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [inner.desc] }),
    ),
  )
  const nodes = await collect(inspect(lying, loop.desc))
  t.deepEqual(
    nodes.map(({ present }) => present),
    [true, false],
  )
})

test('inspect() refuses a graph deeper than any image', async t => {
  let deep = index(image('linux/amd64'))
  for (let level = 0; level < 70; level++) deep = index(deep)
  const source = new Blobs(deep)
  await t.throwsAsync(collect(inspect(source, deep.desc)), { code: 'INVALID_ARGUMENT' })
})

test('inspect() of a provider that cannot tell what is there believes it', async t => {
  const source = new Blobs(pair)
  const nodes = await collect(inspect({ read: (target, options) => source.read(target, options) }, pair.desc))
  t.true(nodes.every(({ present }) => present))
})

// selectManifests

const select = async (root: Node, ...texts: readonly string[]) => {
  const source = new Blobs(root)
  const wanted = texts.map(text => ({ matcher: only(platformOf(text)), text }))
  const wrap = await selectManifests(source, root.desc, wanted)
  return (parent: Node) => wrap(children(source))(parent.desc, {})
}

test('selectManifests() leaves what leads to the platform, in nested indexes too', async t => {
  const arm = image('linux/arm64')
  const inner = index(arm, image('linux/s390x'))
  const root = index(inner, image('linux/amd64'))
  const below = await select(root, 'linux/arm64')
  t.deepEqual(
    (await below(root)).map(({ digest }) => digest),
    [inner.desc.digest],
  )
  t.deepEqual(
    (await below(inner)).map(({ digest }) => digest),
    [arm.desc.digest],
  )
})

test('selectManifests() asks the config of entries that do not say', async t => {
  const unmarked = manifest(config({ platform: 'linux/arm64' }), layer('x'))
  const root = index(image('linux/amd64'), unmarked)
  const below = await select(root, 'linux/arm64')
  t.deepEqual(
    (await below(root)).map(({ digest }) => digest),
    [unmarked.desc.digest],
  )
})

const refuses = test.macro({
  async exec(t, root: Node, text: string, message: RegExp) {
    await t.throwsAsync(select(root, text), { code: 'NOT_FOUND', message })
  },
  title: (title = '') => `selectManifests() refuses a platform: ${title}`,
})

const amd = image('linux/amd64')
test(
  'none of two',
  refuses,
  pair,
  'linux/s390x',
  /no manifest for platform linux\/s390x; it offers linux\/amd64, linux\/arm64$/,
)
test(
  'an index of attestations only',
  refuses,
  index(attestation(amd)),
  'linux/amd64',
  /it names no platforms$/,
)
test('an empty index', refuses, index(), 'linux/amd64', /it names no platforms$/)

test('selectManifests() lets a root that is no index pass whole', async t => {
  const only = manifest(config({ platform: 'linux/s390x' }), layer('x'))
  const below = await select(only, 'linux/amd64')
  t.is((await below(only)).length, 2)
})

test('an image whose wanted platform is whole is complete, though others are missing', async t => {
  const { disk, content, record } = await withImage(t, pair)
  const [arm] = pair.below
  if (arm === undefined) return t.fail()
  await content.delete(arm.desc.digest)
  const { entries } = await completeness(disk, record.target)
  t.deepEqual(
    entries.map(({ state }) => state),
    ['missing', 'complete'],
  )
})

test('platform names with line breaks come through describe() as they are, for JSON to carry', async t => {
  const odd = index(
    withExtra(on('linux/amd64', amd), { platform: { os: 'linux\nx', architecture: '\u001b[2J' } }),
  )
  const { content, record } = await withImage(t, odd)
  t.deepEqual((await describe(content, record)).platforms, ['linux\nx/\u001b[2j'])
})
