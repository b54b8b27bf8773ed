import test from 'ava'
import { nodeNamed, scheduleCollections } from '../../src/runtime/gc.ts'
import { Runtime } from '../../src/runtime/runtime.ts'
import { digestOfText, putText, targetOfText } from '../support/collected.ts'
import { temporaryDirectory } from '../support/tmp.ts'

test('scheduleCollections() collects after changes, and stops before the store is closed', async t => {
  await using runtime = await Runtime.open({ root: await temporaryDirectory(t) })
  const { backend } = runtime.parts
  await using scheduler = scheduleCollections(runtime.parts, runtime.gc, { startupDelay: 0 })
  const { content, leases } = runtime.scope()
  await leases.create({ id: 'l' })
  await putText(runtime.scope('default', { lease: 'l' }).content, 'held')
  await putText(content, 'alone')
  await leases.delete('l')
  await scheduler.scheduleAndWait()
  const left: string[] = []
  for await (const { digest } of backend.list()) left.push(digest)
  t.deepEqual(left, [])
})

test('nodeNamed() takes a digest for a blob, a known name for an image, and all else for an ingest', async t => {
  await using runtime = await Runtime.open({ root: await temporaryDirectory(t) })
  const scope = runtime.scope()
  await scope.images.create({ name: 'docker.io/library/busybox:latest', target: targetOfText('x') })
  const digest = digestOfText('x')
  t.deepEqual(await nodeNamed(scope, digest), { kind: 'content', namespace: 'default', key: digest })
  t.deepEqual(await nodeNamed(scope, 'busybox'), {
    kind: 'image',
    namespace: 'default',
    key: 'docker.io/library/busybox:latest',
  })
  t.deepEqual(await nodeNamed(scope, 'layer-x'), { kind: 'ingest', namespace: 'default', key: 'layer-x' })
})

test('collect() removes orphans on disk, a file that a crash left among them', async t => {
  const root = await temporaryDirectory(t)
  {
    await using runtime = await Runtime.open({ root })
    await putText(runtime.parts.backend, 'orphan')
  }
  await using runtime = await Runtime.open({ root })
  const { blobs, bytes } = await runtime.gc.collect()
  t.deepEqual([blobs, bytes], [1, 6])
})
