import test from 'ava'
import { children } from '../../src/handlers/children.ts'
import type { FindReferrers } from '../../src/handlers/referrers.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { copyGraph } from '../../src/remotes/copy.ts'
import type { RemoteRepository } from '../../src/remotes/types.ts'
import { pull } from '../../src/runtime/pull.ts'
import { push } from '../../src/runtime/push.ts'
import { Blobs, emptyConfig, flat, image, layer, manifestWith, type Node } from '../support/image.ts'
import { quickResolver } from '../support/resolver.ts'
import { openRuntime } from '../support/store.ts'
import { startUploadRegistry } from '../support/upload-registry.ts'

const about = (subject: Node, artifactType: string): Node =>
  manifestWith({ subject: { ...subject.desc }, artifactType }, emptyConfig(), layer(`of ${artifactType}`))

const referrersAt =
  (repository: Pick<RemoteRepository, 'referrers'>): FindReferrers =>
  async ({ digest }, options) => {
    const found: Descriptor[] = []
    for await (const desc of repository.referrers(digest, options)) found.push(desc)
    return found
  }

for (const listsReferrers of [false, true]) {
  const how = listsReferrers ? 'that lists them' : 'that does not list them'
  test(`what refers to an image, and to that in turn, comes from one registry ${how} to another, when it shall`, async t => {
    const [from, to] = await Promise.all([
      startUploadRegistry(t, { listsReferrers }),
      startUploadRegistry(t, { listsReferrers }),
    ])
    const node = image('linux/amd64')
    const bill = about(node, 'application/vnd.bill')
    const signature = about(bill, 'application/vnd.signature')
    const { resolver } = quickResolver(t)
    for (const one of [node, bill, signature]) {
      const tag = one === node ? ':1' : ''
      const pusher = await resolver.pusher(`${from.host}/app${tag}@${one.desc.digest}`)
      await copyGraph(new Blobs(one), pusher, one.desc, children(new Blobs(one)))
    }
    const runtime = await openRuntime(t)
    const scope = runtime.scope('default')
    const [source, target] = [`${from.host}/app:1`, `${to.host}/app:1`]
    await pull({ resolver, scope }, source, { referrers: referrersAt(await resolver.repository(source)) })
    const there = (one: Node): boolean =>
      flat(one).every(({ desc, below }) =>
        to.contents.has(`/v2/app/${below.length > 0 ? 'manifests' : 'blobs'}/${desc.digest}`),
      )
    await push({ resolver, scope }, target, { image: source })
    t.deepEqual([node, bill, signature].map(there), [true, false, false])
    await push({ resolver, scope }, target, { image: source, referrers: true })
    t.deepEqual([node, bill, signature].map(there), [true, true, true])
    const found: string[] = []
    const repository = await resolver.repository(target)
    for await (const { digest } of repository.referrers(node.desc.digest)) found.push(digest)
    for await (const { digest } of repository.referrers(bill.desc.digest)) found.push(digest)
    t.deepEqual(found, [bill.desc.digest, signature.desc.digest])
    // Nothing holds them but what they refer to, and it does.
    await runtime.gc.collect()
    await push({ resolver, scope }, `${to.host}/again:1`, { image: source, referrers: true })
    t.true(to.contents.has(`/v2/again/manifests/${signature.desc.digest}`))
  })
}
