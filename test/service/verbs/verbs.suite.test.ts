import test from 'ava'
import { localVerbs } from '../../../src/runtime/local-verbs.ts'
import { Runtime } from '../../../src/runtime/runtime.ts'
import { openShared } from '../../../src/service/shared/open.ts'
import { verbSuite } from '../../suites/verbs.ts'
import { serveVerbs } from '../../support/verbs.ts'

verbSuite(test, 'local', async (t, root) => {
  const runtime = await Runtime.open({ root })
  t.teardown(() => runtime.close())
  const verbs = localVerbs(runtime)
  return { verbs, local: verbs, scope: runtime.scope() }
})

verbSuite(test, 'gRPC', async (t, root) => {
  const { store, local, runtime } = await serveVerbs(t, root)
  return { verbs: store.verbs, local, scope: runtime.scope() }
})

verbSuite(test, 'a guest', async (t, root) => {
  const owner = await openShared({ root })
  const guest = await openShared({ root })
  t.teardown(async () => {
    await guest.close()
    await owner.close()
  })
  return { verbs: guest.verbs, local: owner.verbs, scope: owner.scope() }
})
