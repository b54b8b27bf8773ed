import test, { type ExecutionContext } from 'ava'
import { contentSuite } from '../suites/content.ts'
import { imageStoreSuite } from '../suites/image-store.ts'
import { leaseSuite } from '../suites/leases.ts'
import { sharingSuite } from '../suites/sharing.ts'
import { openRemote } from '../support/remote.ts'

const scope = async (t: ExecutionContext) => (await openRemote(t)).store.scope('test')

contentSuite(test, 'gRPC', async t => (await scope(t)).content, { labels: true })
imageStoreSuite(test, 'gRPC', async t => (await scope(t)).images)
leaseSuite(test, 'gRPC', async t => (await scope(t)).leases)
sharingSuite(test, 'gRPC', 'shared', async t => {
  const { store } = await openRemote(t)
  return {
    content: namespace => store.scope(namespace).content,
    share: async namespace => {
      await store.namespaces.update(namespace, { labels: { 'containerd.io/namespace.shareable': 'true' } })
    },
  }
})
