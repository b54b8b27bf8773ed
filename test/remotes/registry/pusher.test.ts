import test, { type ExecutionContext } from 'ava'
import { copyBlob } from '../../../src/content/copy.ts'
import { children } from '../../../src/handlers/children.ts'
import { type Descriptor, descriptorOf } from '../../../src/oci/descriptor.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { parseIndex } from '../../../src/oci/document.ts'
import { mediaTypes } from '../../../src/oci/media-type.ts'
import { copyGraph } from '../../../src/remotes/copy.ts'
import { defaultHost } from '../../../src/remotes/registry/hosts.ts'
import { referrersTag } from '../../../src/remotes/registry/referrers.ts'
import {
  Blobs,
  config,
  emptyConfig,
  flat,
  image,
  index,
  layer,
  manifest,
  manifestWith,
  type Node,
} from '../../support/image.ts'
import { json } from '../../support/registry-answer.ts'
import { quickResolver } from '../../support/resolver.ts'
import {
  answers,
  changes,
  type refusal,
  startUploadRegistry,
  type UploadRegistryOptions,
} from '../../support/upload-registry.ts'

const setUp = async (t: ExecutionContext, like?: UploadRegistryOptions) => {
  const registry = await startUploadRegistry(t, like)
  const { resolver } = quickResolver(t)
  const push = async (node: Node, object = ':1'): Promise<void> => {
    const source = new Blobs(node)
    const pusher = await resolver.pusher(`${registry.host}/app${object}`)
    await copyGraph(source, pusher, node.desc, children(source))
  }
  const at = (name: string): Buffer | undefined => registry.contents.get(`/v2/app/manifests/${name}`)
  return { registry, resolver, push, at }
}

const one = manifest(config(), layer('one'))
const many = index(image('linux/amd64'), image('linux/arm64'))

test('manifests go under their digests, leaves first', async t => {
  const { registry, push, at } = await setUp(t)
  await push(many)
  for (const { desc, bytes } of flat(many).filter(({ below }) => below.length > 0))
    t.deepEqual(at(desc.digest), bytes)
  t.is(at('1'), undefined, 'a tag is not for whatever comes')
  t.is(registry.requests.at(-1)?.path, `/v2/app/manifests/${many.desc.digest}`)
  t.is(registry.requests.at(-1)?.headers['content-type'], mediaTypes.ociIndex)
})

test('the manifest of the digest beside a tag goes under that tag, and it alone', async t => {
  const { registry, push, at } = await setUp(t)
  await push(many, `:1@${many.desc.digest}`)
  t.deepEqual(at('1'), many.bytes)
  t.deepEqual(at(many.desc.digest), many.bytes)
  t.is(registry.seen(/^PUT .*manifests/).length, 3)
})

test('a tag that points there already is left alone; one that points elsewhere is moved', async t => {
  const { registry, push, at } = await setUp(t)
  await push(many, `:1@${many.desc.digest}`)
  const before = registry.requests.length
  await push(many, `:1@${many.desc.digest}`)
  t.true(registry.requests.slice(before).every(({ method }) => method === 'HEAD'))
  await push(one, `:1@${one.desc.digest}`)
  t.deepEqual(at('1'), one.bytes)
})

test('a registry that says nothing of digests is pushed to all the same', async t => {
  const { registry, push, at } = await setUp(t)
  registry.always(
    /manifests/,
    changes(({ headers: { 'docker-content-digest': _, ...headers } }) => ({ headers })),
  )
  await push(many, `:1@${many.desc.digest}`)
  await push(many, `:1@${many.desc.digest}`)
  t.deepEqual(at('1'), many.bytes)
})

test('tag() points a tag at a manifest that is there', async t => {
  const { registry, resolver, push, at } = await setUp(t)
  await push(one)
  const pusher = await resolver.pusher(`${registry.host}/app`)
  await pusher.tag(`${registry.host}/app:two`, one.desc)
  t.deepEqual(at('two'), one.bytes)
  const puts = registry.seen(/^PUT/).length
  await pusher.tag(`${registry.host}/app:two`, one.desc)
  t.is(registry.seen(/^PUT/).length, puts)
  await t.throwsAsync(pusher.tag(`${registry.host}/other:two`, one.desc), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(pusher.tag(`${registry.host}/app`, one.desc), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(pusher.tag(`${registry.host}/app:3`, many.desc), { code: 'NOT_FOUND' })
})

test('a registry that stored another manifest is not believed', async t => {
  const { registry, push } = await setUp(t)
  const headers = { 'docker-content-digest': many.desc.digest }
  registry.always(
    /^PUT .*manifests/,
    changes(answer => ({ headers: { ...answer.headers, ...headers } })),
  )
  await t.throwsAsync(push(one), { code: 'DATA_LOSS' })
})

const refused = test.macro({
  exec: async (t, answer: ReturnType<typeof refusal>, code: string, message: RegExp) => {
    const { registry, push } = await setUp(t)
    registry.always(/^PUT .*manifests/, answers(answer))
    await t.throwsAsync(push(one, `:1@${one.desc.digest}`), { code, message })
  },
  title: title => `a manifest that is refused tells it in the registry's own words: ${title}`,
})

const said = (status: number, code: string, message: string) => json(status, { errors: [{ code, message }] })
test(
  'an immutable tag by 400',
  refused,
  said(400, 'TAG_INVALID', 'the tag 1 is immutable'),
  'FAILED_PRECONDITION',
  /tag 1 is immutable/,
)
test(
  'an immutable tag by 412',
  refused,
  said(412, 'PRECONDITION', 'configured as immutable tag'),
  'FAILED_PRECONDITION',
  /immutable tag/,
)
test(
  'an immutable tag by 409',
  refused,
  said(409, 'CONFLICT', 'tag exists'),
  'FAILED_PRECONDITION',
  /tag exists/,
)
test(
  'a manifest that is not liked',
  refused,
  said(400, 'MANIFEST_INVALID', 'unknown type'),
  'INVALID_ARGUMENT',
  /unknown type/,
)
test(
  'an account that may not',
  refused,
  said(403, 'DENIED', 'pull access only'),
  'PERMISSION_DENIED',
  /pull access only/,
)

test('Docker schema 1 is not pushed', async t => {
  const { registry, resolver } = await setUp(t)
  const pusher = await resolver.pusher(`${registry.host}/app`)
  const expected = descriptorOf(mediaTypes.dockerSchema1, Buffer.from('{}'))
  await t.throwsAsync(pusher.writer({ ref: 'a', expected }), { code: 'UNIMPLEMENTED' })
})

test('a manifest of more than 4 MiB is refused before it is sent', async t => {
  const { registry, resolver } = await setUp(t)
  const pusher = await resolver.pusher(`${registry.host}/app`)
  await using writer = await pusher.writer({ ref: 'a', expected: { mediaType: mediaTypes.ociIndex } })
  await t.throwsAsync(writer.write(Buffer.alloc(5_000_000)), { code: 'RESOURCE_EXHAUSTED' })
  t.is(registry.seen(/^PUT/).length, 0)
})

test('a manifest of which nothing is known before goes under its digest', async t => {
  const { registry, resolver, at } = await setUp(t)
  const pusher = await resolver.pusher(`${registry.host}/app`)
  await using writer = await pusher.writer({ ref: 'a', expected: { mediaType: mediaTypes.ociIndex } })
  const bytes = Buffer.from('{"schemaVersion":2,"manifests":[]}')
  await writer.write(bytes.subarray(0, 5))
  await writer.write(bytes.subarray(5))
  t.is(await writer.commit(), digestOf(bytes))
  t.deepEqual(at(digestOf(bytes)), bytes)
})

const signatureOf = (subject: Descriptor, artifactType: string): Node =>
  manifestWith({ subject, artifactType, annotations: { of: artifactType } }, emptyConfig())

const listed = (bytes: Buffer | undefined): readonly Descriptor[] =>
  bytes === undefined ? [] : parseIndex(bytes, 'list').manifests

test('what refers to another manifest is listed under its referrers tag, where the registry keeps no list', async t => {
  const { push, at } = await setUp(t)
  const tag = referrersTag(one.desc.digest)
  await push(one)
  const [first, second] = [
    signatureOf(one.desc, 'application/vnd.a'),
    signatureOf(one.desc, 'application/vnd.b'),
  ]
  await push(first)
  t.deepEqual(listed(at(tag)), [
    { ...first.desc, artifactType: 'application/vnd.a', annotations: { of: 'application/vnd.a' } },
  ])
  await push(second)
  t.deepEqual(
    listed(at(tag)).map(({ digest }) => digest),
    [first.desc.digest, second.desc.digest],
  )
})

test('a referrer without a type of its own is listed by that of its config', async t => {
  const { push, at } = await setUp(t)
  await push(manifestWith({ subject: one.desc }, emptyConfig('application/vnd.c')))
  t.is(listed(at(referrersTag(one.desc.digest)))[0]?.artifactType, 'application/vnd.c')
})

test('what refers to another manifest is left to a registry that lists it', async t => {
  const { registry, push, at } = await setUp(t, { listsReferrers: true })
  await push(signatureOf(one.desc, 'application/vnd.a'))
  t.is(at(referrersTag(one.desc.digest)), undefined)
  t.is(registry.seen(/GET/).length, 0)
})

test('many who are listed at once are all listed', async t => {
  const { push, at } = await setUp(t)
  const all = Array.from({ length: 6 }, (_, n) => signatureOf(one.desc, `application/vnd.${n}`))
  await Promise.all(all.map(node => push(node)))
  t.is(listed(at(referrersTag(one.desc.digest))).length, 6)
})

test('a list of referrers that another client changed meanwhile is changed again', async t => {
  const { registry, push, at } = await setUp(t)
  const tag = referrersTag(one.desc.digest)
  const other = signatureOf(one.desc, 'application/vnd.other')
  await push(other)
  const before = at(tag)
  let undone = 0
  registry.always(new RegExp(`^PUT .*${tag}`), async ({ sound, send, registry: { contents } }) => {
    send(await sound())
    // Somebody else writes what it had read before.
    if (undone++ < 2 && before) contents.set(`/v2/app/manifests/${tag}`, before)
  })
  const node = signatureOf(one.desc, 'application/vnd.a')
  await push(node)
  t.deepEqual(
    listed(at(tag)).map(({ digest }) => digest),
    [other.desc.digest, node.desc.digest],
  )
})

test('a tag that only looks like one of referrers is not written over', async t => {
  const { push, at } = await setUp(t)
  const tag = referrersTag(one.desc.digest)
  await push(one, `:${tag}@${one.desc.digest}`)
  await t.throwsAsync(push(signatureOf(one.desc, 'application/vnd.a')), { code: 'FAILED_PRECONDITION' })
  t.deepEqual(at(tag), one.bytes)
})

test('a registry that nobody may push to is told of before anything is sent', async t => {
  const registry = await startUploadRegistry(t)
  const hosts = async () => [
    { ...defaultHost(registry.host), capabilities: new Set(['pull', 'resolve'] as const) },
  ]
  const { resolver } = quickResolver(t, { hosts })
  await t.throwsAsync(resolver.pusher(`${registry.host}/app`), {
    code: 'FAILED_PRECONDITION',
    message: /push to/,
  })
  t.is(registry.requests.length, 0)
})

test('only the host that may be pushed to is pushed to', async t => {
  const [mirror, registry] = await Promise.all([startUploadRegistry(t), startUploadRegistry(t)])
  const hosts = async () => [
    { ...defaultHost(mirror.host), capabilities: new Set(['pull', 'resolve'] as const) },
    defaultHost(registry.host),
  ]
  const { resolver } = quickResolver(t, { hosts })
  const bytes = Buffer.from('hello')
  const blobs = new Blobs(layer(bytes))
  await copyBlob(blobs, await resolver.pusher('registry.test/app'), descriptorOf(mediaTypes.ociLayer, bytes))
  t.is(mirror.requests.length, 0)
  t.is(registry.seen(/^PUT/).length, 1)
})
