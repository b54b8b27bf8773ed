import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { digestOf } from '../../src/oci/digest.ts'
import type { DiskUsage } from '../../src/runtime/disk-usage.ts'
import { measure, measureSet } from '../../src/runtime/measure.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { commitBytes } from '../support/commit.ts'
import { allocatedByDu, bytesByDu } from '../support/du.ts'
import { config, flat, image, index, layer, manifest, type Node, sizeOf } from '../support/image.ts'
import { putImage, putNode } from '../support/put-image.ts'
import { openRuntime } from '../support/store.ts'

const bytesOf = (node: Node): number =>
  [...new Map(flat(node).map(({ desc }) => [desc.digest, desc.size])).values()].reduce(
    (sum, size) => sum + size,
    0,
  )

const base = layer('b'.repeat(1000))
const one = manifest(config({ author: 'one' }), base, layer('1'.repeat(10)))
const two = manifest(config({ author: 'two' }), base, layer('2'.repeat(200)))
const own = (node: Node): number => bytesOf(node) - 1000

/** Everything that `measure` says is also what `du` says, and adds up. */
async function addsUp(t: ExecutionContext, { root }: Runtime, usage: DiskUsage): Promise<void> {
  t.is(usage.content.bytes, await bytesByDu(path.join(root, 'content')))
  t.is(usage.content.allocated, await allocatedByDu(path.join(root, 'content')))
  const parts = Object.values(usage.parts).reduce((sum, { bytes }) => sum + bytes, 0)
  const unique = usage.images.reduce((sum, image) => sum + image.unique, 0)
  t.is(unique + parts, usage.total.bytes)
  t.is(usage.content.bytes + usage.parts.metadata.bytes, usage.total.bytes)
  for (const image of usage.images) t.is(image.shared + image.unique, image.logical)
}

const numbers = ({ images }: DiskUsage) =>
  images.map(({ name, logical, unique, shared, freed }) => [name, logical, unique, shared, freed])

test('measure() counts a shared blob once, and says what the removal of each image frees', async t => {
  const runtime = await openRuntime(t)
  await putImage(runtime.scope(), 'one', one)
  await putImage(runtime.scope(), 'two', two)
  const usage = await measure(runtime)
  t.deepEqual(numbers(usage), [
    ['one', bytesOf(one), own(one), 1000, own(one)],
    ['two', bytesOf(two), own(two), 1000, own(two)],
  ])
  t.is(usage.parts.shared.bytes, 1000)
  t.deepEqual(usage.together, {
    logical: own(one) + own(two) + 1000,
    unique: own(one) + own(two) + 1000,
    shared: 0,
    freed: own(one) + own(two) + 1000,
  })
  t.is(usage.total.garbage, 0)
  await addsUp(t, runtime, usage)
})

test('measure() gives two names of one image nothing unique, and the set of both everything', async t => {
  const runtime = await openRuntime(t)
  const first = await putImage(runtime.scope(), 'a', one)
  const second = await putImage(runtime.scope(), 'b', one)
  const usage = await measure(runtime)
  t.deepEqual(numbers(usage), [
    ['a', bytesOf(one), 0, bytesOf(one), 0],
    ['b', bytesOf(one), 0, bytesOf(one), 0],
  ])
  t.is((await measureSet(runtime, 'default', [first])).freed, 0)
  t.deepEqual(await measureSet(runtime, 'default', [first, second, first]), {
    logical: bytesOf(one),
    unique: bytesOf(one),
    shared: 0,
    freed: bytesOf(one),
  })
  await addsUp(t, runtime, usage)
})

test('measure() counts a layer that an image lists twice once, and not what is not here', async t => {
  const runtime = await openRuntime(t)
  const twice = manifest(config({ author: 'x' }), base, base)
  const whole = index(image('linux/amd64'), image('linux/arm64'))
  await putImage(runtime.scope(), 'twice', twice)
  await putImage(runtime.scope(), 'partial', whole)
  await runtime.scope().content.delete(whole.below[1]?.desc.digest ?? digestOf(''))
  const usage = await measure(runtime)
  const here = [whole, whole.below[0] ?? whole].map(({ desc }) => desc.size)
  const [partial, other] = usage.images
  t.is(other?.logical, sizeOf(twice) - 1000)
  t.is(partial?.logical, (here[0] ?? 0) + bytesOf(whole.below[0] ?? whole))
  await addsUp(t, runtime, usage)
})

test('measure() does not count as freed what another namespace keeps', async t => {
  const runtime = await openRuntime(t)
  await putImage(runtime.scope(), 'here', one)
  await putImage(runtime.scope('other'), 'there', one)
  await putImage(runtime.scope('other'), 'more', two)
  const usage = await measure(runtime)
  t.deepEqual(numbers(usage), [['here', bytesOf(one), 0, bytesOf(one), 0]])
  t.is(usage.parts.elsewhere.bytes, own(two))
  t.is(usage.parts.shared.bytes, bytesOf(one))
  await addsUp(t, runtime, usage)
  const there = await measure(runtime, 'other')
  t.deepEqual(
    there.images.map(({ name, freed }) => [name, freed]),
    [
      ['more', own(two)],
      ['there', 0],
    ],
  )
  await addsUp(t, runtime, there)
})

test('measure() tells leases, unreferenced blobs, orphans, ingests and strange files apart', async t => {
  const runtime = await openRuntime(t)
  const { content, leases } = runtime.scope()
  await putImage(runtime.scope(), 'one', one)
  const { id } = await leases.create()
  await putNode(runtime.scope().under(id), two)
  await commitBytes(content, Buffer.alloc(70, 'u'))
  await commitBytes(runtime.parts.backend, Buffer.alloc(31, 'o'))
  for (const ref of ['kept', 'orphan']) {
    await using writer = await (ref === 'kept' ? content : runtime.parts.backend).writer({ ref })
    await writer.write(Buffer.alloc(500, ref))
  }
  await fs.writeFile(path.join(runtime.root, 'content/strange'), 'abc')
  const usage = await measure(runtime)
  const { held, unreferenced, ingests, orphans, others, shared } = usage.parts
  t.is(shared.bytes, 0)
  t.is(held.bytes, own(two))
  t.is(unreferenced.bytes, 70)
  t.true(ingests.bytes > 500 && ingests.garbage === 0)
  t.true(orphans.bytes > 531)
  t.is(others.bytes, 3)
  t.is(usage.total.garbage, unreferenced.bytes + orphans.bytes)
  const [only] = usage.images
  t.deepEqual([only?.unique, only?.freed], [bytesOf(one), own(one)])
  await addsUp(t, runtime, usage)
  await runtime.gc.collect()
  const after = await measure(runtime)
  t.is(after.content.bytes, usage.content.bytes - usage.total.garbage)
  await addsUp(t, runtime, after)
})

test('measure() counts what a shared ingest takes over as kept by it', async t => {
  const runtime = await openRuntime(t)
  const bytes = Buffer.alloc(900, 's')
  const digest = await commitBytes(runtime.scope('other').content, bytes)
  await using _ = await runtime.scope().content.writer({ ref: 'r', expected: { digest, size: 900 } })
  const usage = await measure(runtime)
  t.is(usage.total.garbage, 0)
  t.is(usage.parts.held.bytes, 900)
  await addsUp(t, runtime, usage)
})

test('measure() marks an image that has expired, and counts what only it reaches as garbage', async t => {
  const runtime = await openRuntime(t, { now: () => new Date('2026-01-01T00:00:00Z') })
  await putImage(runtime.scope(), 'old', one, { 'containerd.io/gc.expire': '2025-01-01T00:00:00Z' })
  await putImage(runtime.scope(), 'young', two, { 'containerd.io/gc.expire': '2027-01-01T00:00:00Z' })
  const usage = await measure(runtime)
  t.deepEqual(
    usage.images.map(({ name, expired, unique, freed }) => [name, expired, unique, freed]),
    [
      ['old', true, 0, 0],
      ['young', false, bytesOf(two), bytesOf(two)],
    ],
  )
  t.is(usage.parts.unreferenced.bytes, own(one))
  t.is(usage.total.garbage, own(one))
  await addsUp(t, runtime, usage)
})

test('measure() knows that a flat lease of an image does not outlive its record', async t => {
  const runtime = await openRuntime(t)
  const { leases } = runtime.scope()
  await putImage(runtime.scope(), 'one', one)
  await leases.create({ id: 'flat', labels: { 'containerd.io/gc.flat': '1' } })
  await leases.addResource('flat', { type: 'images', id: 'one' })
  const usage = await measure(runtime)
  t.deepEqual(numbers(usage), [['one', bytesOf(one), bytesOf(one), 0, bytesOf(one)]])
  await addsUp(t, runtime, usage)
})

test('measure() of an empty store is all zero but the records', async t => {
  const runtime = await openRuntime(t)
  const { images, parts, total, content } = await measure(runtime)
  t.deepEqual(images, [])
  t.is(content.bytes, 0)
  t.true(parts.metadata.bytes > 0)
  t.is(total.bytes, parts.metadata.bytes)
})

test('measure() agrees with what a collection frees, image by image', async t => {
  const runtime = await openRuntime(t)
  const { images } = runtime.scope()
  await putImage(runtime.scope(), 'one', one)
  await putImage(runtime.scope(), 'two', two)
  await putImage(runtime.scope(), 'all', index(one, two))
  for (const name of ['all', 'one', 'two']) {
    const before = await measure(runtime)
    await images.delete(name)
    await runtime.gc.collect()
    const after = await measure(runtime)
    t.is(
      before.content.bytes - after.content.bytes,
      before.images.find(image => image.name === name)?.freed ?? Number.NaN,
    )
  }
  t.is((await measure(runtime)).content.bytes, 0)
})

test('measure() stops when its signal has fired', async t => {
  const reason = new Error('enough')
  await t.throwsAsync(measure(await openRuntime(t), 'default', { signal: AbortSignal.abort(reason) }), {
    is: reason,
  })
})
