import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { pinLabel } from '../../src/images/pin.ts'
import type { ImageStore } from '../../src/images/types.ts'
import { measure } from '../../src/runtime/measure.ts'
import { prune } from '../../src/runtime/prune.ts'
import type { PruneRules } from '../../src/runtime/prune-rules.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { commitBytes } from '../support/commit.ts'
import { bytesByDu } from '../support/du.ts'
import { collect, config, layer, manifest, type Node } from '../support/image.ts'
import { putImage } from '../support/put-image.ts'
import { openRuntime } from '../support/store.ts'

const day = 24 * 60 * 60 * 1000
const base = layer('b'.repeat(1000))
/** Images of a shared layer and one of their own. */
const version = (author: string, size: number): Node =>
  manifest(config({ author }), base, layer(author.repeat(size)))

/** A store whose images were made a day after each other, a day ago the last. */
async function storeOf(t: ExecutionContext, names: readonly string[]): Promise<Runtime> {
  const clock = { now: new Date('2026-01-01T00:00:00Z').getTime() }
  const runtime = await openRuntime(t, { now: () => new Date(clock.now) })
  for (const [at, name] of names.entries()) {
    await putImage(runtime.scope(), name, version(String.fromCharCode(97 + at), 100))
    clock.now += day
  }
  return runtime
}

const namesIn = async ({ images }: { readonly images: ImageStore }): Promise<string[]> =>
  (await collect(images.list())).map(({ name }) => name)

const content = ({ root }: Runtime): Promise<number> => bytesByDu(path.join(root, 'content'))

const sameAsPlanned = test.macro<[string, PruneRules, readonly string[]]>({
  async exec(t, _, rules, left) {
    const runtime = await storeOf(t, ['r/a:1', 'r/a:2', 'r/a:3', 'r/b:1'])
    await runtime.scope().images.update('r/b:1', { labels: { [pinLabel]: '1' } })
    await commitBytes(runtime.scope().content, Buffer.alloc(50, 'g'))
    const dry = await prune(runtime, runtime.scope(), rules, { dryRun: true })
    t.deepEqual(await namesIn(runtime.scope()), ['r/a:1', 'r/a:2', 'r/a:3', 'r/b:1'])
    t.is(await content(runtime), dry.plan.before.bytes)
    t.deepEqual([dry.deleted, dry.collection], [[], undefined])
    const seen: string[] = []
    const wet = await prune(runtime, runtime.scope(), rules, { onDeleted: ({ name }) => seen.push(name) })
    t.deepEqual(wet.plan, dry.plan)
    t.deepEqual(wet.deleted, wet.plan.deletions)
    t.deepEqual(
      seen,
      wet.deleted.map(({ name }) => name),
    )
    t.deepEqual(wet.skipped, [])
    t.deepEqual(await namesIn(runtime.scope()), left)
    t.is(await content(runtime), wet.plan.after.bytes)
    t.is(wet.collection?.bytes, wet.plan.freed.bytes + wet.plan.garbage.bytes)
  },
  title: (_, what) => `prune() ${what}: the run does what the plan says, to the byte`,
})

test(sameAsPlanned, 'of all', { all: true }, ['r/b:1'])
test(sameAsPlanned, 'by filter', { filters: ['name~=":2$"', 'name=="r/b:1"'] }, ['r/a:1', 'r/a:3', 'r/b:1'])
test(sameAsPlanned, 'by age', { olderThan: 2.5 * day }, ['r/a:3', 'r/b:1'])
test(sameAsPlanned, 'by the last of a repository', { keepLast: 1 }, ['r/a:3', 'r/b:1'])
test(sameAsPlanned, 'that finds nothing', { filters: ['name==none'] }, ['r/a:1', 'r/a:2', 'r/a:3', 'r/b:1'])
test(sameAsPlanned, 'by a cap that cannot be met', { maxBytes: 0 }, ['r/b:1'])

test('prune() by a cap deletes as little as it needs', async t => {
  const runtime = await storeOf(t, ['r/a:1', 'r/a:2', 'r/a:3'])
  const { content } = await measure(runtime)
  const [, second] = (await measure(runtime)).images
  const maxBytes = content.bytes - (second?.freed ?? 0)
  const { plan, deleted } = await prune(runtime, runtime.scope(), { maxBytes })
  t.deepEqual(
    deleted.map(({ name }) => name),
    ['r/a:1'],
  )
  t.true(plan.after.bytes <= maxBytes)
  t.deepEqual(plan.missed, [])
})

test('prune() by a cap first counts on the garbage', async t => {
  const runtime = await storeOf(t, ['r/a:1'])
  const { bytes } = (await measure(runtime)).content
  await commitBytes(runtime.scope().content, Buffer.alloc(5000, 'g'))
  const { deleted } = await prune(runtime, runtime.scope(), { maxBytes: bytes })
  t.deepEqual(deleted, [])
  t.is(await content(runtime), bytes)
})

test('prune() by room on the device asks the device', async t => {
  const runtime = await storeOf(t, ['r/a:1', 'r/a:2'])
  const { bavail, bsize } = await fs.statfs(runtime.root)
  const little = await prune(runtime, runtime.scope(), { minFree: { bytes: 1 } }, { dryRun: true })
  t.deepEqual(little.plan.deletions, [])
  const much = await prune(
    runtime,
    runtime.scope(),
    { minFree: { bytes: 4 * bavail * bsize } },
    { dryRun: true },
  )
  t.is(much.plan.deletions.length, 2)
  t.is(much.plan.missed[0]?.rule, 'min-free')
})

test('prune() deletes in its namespace only, and frees nothing that another keeps', async t => {
  const runtime = await storeOf(t, ['r/a:1'])
  await putImage(runtime.scope('other'), 'r/a:1', version('a', 100))
  const { plan, deleted } = await prune(runtime, runtime.scope(), { all: true })
  t.is(deleted.length, 1)
  t.is(plan.freed.bytes, 0)
  t.deepEqual(await namesIn(runtime.scope('other')), ['r/a:1'])
  t.is(await content(runtime), plan.before.bytes)
  const capped = await prune(runtime, runtime.scope(), { maxBytes: 1 })
  t.is(capped.plan.missed[0]?.left.held, plan.before.bytes)
})

/** Images that somebody else changes right before they are deleted. */
const meddled = (images: ImageStore, meddle: (name: string) => Promise<unknown>): ImageStore => ({
  get: (name, options) => images.get(name, options),
  list: (filters, options) => images.list(filters, options),
  create: (image, options) => images.create(image, options),
  update: (name, change, options) => images.update(name, change, options),
  delete: async (name, options) => {
    await meddle(name)
    return images.delete(name, options)
  },
})

const leaves = test.macro<[string, (images: ImageStore, name: string) => Promise<unknown>, number]>({
  async exec(t, _, meddle, left) {
    const runtime = await storeOf(t, ['r/a:1', 'r/a:2'])
    const { images, namespace } = runtime.scope()
    const others = meddled(images, async name => {
      if (name === 'r/a:1') await meddle(images, name)
    })
    const { deleted, skipped } = await prune(runtime, { namespace, images: others }, { all: true })
    t.deepEqual(
      deleted.map(({ name }) => name),
      ['r/a:2'],
    )
    t.deepEqual(
      skipped.map(({ name }) => name),
      ['r/a:1'],
    )
    t.is((await namesIn({ images })).length, left)
  },
  title: (_, what) => `prune() leaves an image alone that was ${what} meanwhile`,
})

test(leaves, 'pinned', (images, name) => images.update(name, { labels: { [pinLabel]: '1' } }), 1)
test(leaves, 'labelled', (images, name) => images.update(name, { labels: { a: 'b' } }), 1)
test(leaves, 'repointed', (images, name) => images.update(name, { target: version('z', 3).desc }), 1)
test(leaves, 'deleted', (images, name) => images.delete(name), 0)

test('prune() publishes the deletion of each image', async t => {
  const runtime = await storeOf(t, ['r/a:1', 'r/a:2'])
  const events = runtime.events.subscribe(['topic=="/images/delete"'])[Symbol.asyncIterator]()
  await prune(runtime, runtime.scope(), { all: true })
  const seen = [await events.next(), await events.next()]
  t.deepEqual(
    seen.map(({ value }) => value?.event),
    [{ name: 'r/a:1' }, { name: 'r/a:2' }],
  )
})

test('prune() without a rule is INVALID_ARGUMENT and changes nothing', async t => {
  const runtime = await storeOf(t, ['r/a:1'])
  await t.throwsAsync(prune(runtime, runtime.scope(), {}), {
    code: 'INVALID_ARGUMENT',
    message: /no rule was given/,
  })
  t.is((await namesIn(runtime.scope())).length, 1)
})

test('prune() under a signal that has fired deletes nothing', async t => {
  const runtime = await storeOf(t, ['r/a:1'])
  const reason = new Error('enough')
  const options = { signal: AbortSignal.abort(reason) }
  await t.throwsAsync(prune(runtime, runtime.scope(), { all: true }, options), { is: reason })
  t.is((await namesIn(runtime.scope())).length, 1)
})
