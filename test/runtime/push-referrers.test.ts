import test from 'ava'
import { children } from '../../src/handlers/children.ts'
import { copyGraph } from '../../src/remotes/copy.ts'
import { cliOn } from '../support/cli.ts'
import { Blobs, emptyConfig, flat, image, layer, manifestWith, type Node } from '../support/image.ts'
import { quickResolver } from '../support/resolver.ts'
import { startUploadRegistry } from '../support/upload-registry.ts'

const about = (subject: Node, artifactType: string): Node =>
  manifestWith({ subject: { ...subject.desc }, artifactType }, emptyConfig(), layer(`of ${artifactType}`))

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
    const cli = await cliOn(t)
    const [source, target] = [`${from.host}/app:1`, `${to.host}/app:1`]
    const pulled = await cli(`--quiet images pull --all-platforms --referrers ${source}`)
    t.is(pulled.code, 0, pulled.stderr)
    const there = (one: Node): boolean =>
      flat(one).every(({ desc, below }) =>
        to.contents.has(`/v2/app/${below.length > 0 ? 'manifests' : 'blobs'}/${desc.digest}`),
      )
    t.is((await cli(`--quiet images push ${source} ${target}`)).code, 0)
    t.deepEqual([node, bill, signature].map(there), [true, false, false])
    const pushed = await cli(`--quiet images push --referrers ${source} ${target}`)
    t.is(pushed.code, 0, pushed.stderr)
    t.deepEqual([node, bill, signature].map(there), [true, true, true])
    const found: string[] = []
    const repository = await resolver.repository(target)
    for await (const { digest } of repository.referrers(node.desc.digest)) found.push(digest)
    for await (const { digest } of repository.referrers(bill.desc.digest)) found.push(digest)
    t.deepEqual(found, [bill.desc.digest, signature.desc.digest])
    // Nothing holds them but what they refer to, and it does.
    t.is((await cli('gc run')).code, 0)
    t.is((await cli(`--quiet images push --referrers ${source} ${to.host}/again:1`)).code, 0)
    t.true(to.contents.has(`/v2/again/manifests/${signature.desc.digest}`))
  })
}
