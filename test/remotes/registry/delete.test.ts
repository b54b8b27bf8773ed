import test, { type ExecutionContext } from 'ava'
import { children } from '../../../src/handlers/children.ts'
import { parseIndex } from '../../../src/oci/document.ts'
import { copyGraph } from '../../../src/remotes/copy.ts'
import { referrersTag } from '../../../src/remotes/registry/referrers.ts'
import { Blobs, config, emptyConfig, layer, manifest, manifestWith, type Node } from '../../support/image.ts'
import { quickResolver } from '../../support/resolver.ts'
import {
  answers,
  changes,
  refusal,
  startUploadRegistry,
  type UploadRegistryOptions,
} from '../../support/upload-registry.ts'

const one = manifest(config(), layer('one'))

const setUp = async (t: ExecutionContext, like?: UploadRegistryOptions) => {
  const registry = await startUploadRegistry(t, like)
  const { resolver } = quickResolver(t)
  const push = async (node: Node, tag: string): Promise<void> => {
    const pusher = await resolver.pusher(`${registry.host}/app:${tag}@${node.desc.digest}`)
    await copyGraph(new Blobs(node), pusher, node.desc, children(new Blobs(node)))
  }
  await push(one, '1')
  await push(one, '2')
  const remover = await resolver.remover(`${registry.host}/app`)
  const has = (path: string): boolean => registry.contents.has(`/v2/app/${path}`)
  return { registry, remover, push, has }
}

test('a manifest is deleted by the digest of its bytes, whatever the registry says of them, and all its tags with it', async t => {
  const { registry, remover, has } = await setUp(t)
  const wrong = { 'docker-content-digest': '' }
  registry.always(
    /^(GET|HEAD)/,
    changes(({ headers }) => ({ headers: { ...headers, ...wrong } })),
  )
  t.is(await remover.manifest('1'), one.desc.digest)
  t.is(registry.seen(/^DELETE/)[0]?.path, `/v2/app/manifests/${one.desc.digest}`)
  for (const name of ['1', '2', one.desc.digest]) t.false(has(`manifests/${name}`))
})

test('a tag is deleted alone, where the registry can', async t => {
  const { remover, has } = await setUp(t)
  await remover.tag('1')
  t.false(has('manifests/1'))
  t.true(has('manifests/2') && has(`manifests/${one.desc.digest}`))
})

test('a blob is deleted', async t => {
  const { remover, has } = await setUp(t)
  const [, { desc }] = one.below as [Node, Node]
  await remover.blob(desc.digest)
  t.false(has(`blobs/${desc.digest}`))
})

test('what is not there cannot be deleted', async t => {
  const { remover } = await setUp(t)
  await t.throwsAsync(remover.manifest('9'), { code: 'NOT_FOUND' })
  await t.throwsAsync(remover.tag('9'), { code: 'NOT_FOUND' })
})

test('a registry that deletes nothing says so', async t => {
  const { registry, remover, has } = await setUp(t)
  registry.always(/^DELETE/, answers(refusal(405, 'UNSUPPORTED')))
  await t.throwsAsync(remover.manifest('1'), {
    code: 'UNIMPLEMENTED',
    message: /UNSUPPORTED.*without deletion/,
  })
  t.true(has('manifests/1'))
})

test('a referrer that is deleted is taken off the list of its subject, where the registry keeps none', async t => {
  const { registry, remover, push } = await setUp(t)
  const [a, b] = ['a', 'b'].map(type =>
    manifestWith({ subject: one.desc, artifactType: `application/vnd.${type}` }, emptyConfig()),
  ) as [Node, Node]
  await push(a, 'a')
  await push(b, 'b')
  const listed = (): readonly string[] =>
    parseIndex(
      registry.contents.get(`/v2/app/manifests/${referrersTag(one.desc.digest)}`) ?? Buffer.of(),
      'list',
    ).manifests.map(({ digest }) => digest)
  t.deepEqual(listed(), [a.desc.digest, b.desc.digest])
  await remover.manifest('a')
  t.deepEqual(listed(), [b.desc.digest])
  await remover.manifest(b.desc.digest)
  t.deepEqual(listed(), [])
})
