import type { ExecutionContext, TestFn } from 'ava'
import { readBlob } from '../../src/content/blob.ts'
import type { ContentStore } from '../../src/content/types.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { all, randomBytes, targetOf } from '../support/bytes.ts'
import { put } from './content.ts'

/** A store's namespaces, each a store. */
export interface Namespaces {
  content(namespace: string): ContentStore
  /** Labels a namespace so that others may take its blobs over. */
  share(namespace: string): Promise<void>
}

type Open = (t: ExecutionContext) => Promise<Namespaces>

const bytes = randomBytes('shared', 4096)
const target = targetOf(bytes)

/** What namespaces may see of each other's bytes. @see containerd core/content/testsuite, the CrossNamespace tests */
export function sharingSuite(test: TestFn, name: string, policy: 'shared' | 'isolated', open: Open): void {
  if (policy === 'shared') {
    shareTests(test, `${name}: CrossNamespaceShare`, open)
    return
  }
  test(`${name}: CrossNamespaceIsolate: a writer starts empty, whatever others have`, async t => {
    const { content } = await open(t)
    await put(content('ns1'), bytes)
    await using writer = await content('ns2').writer({ ref: 'r', expected: target })
    t.is(writer.offset, 0)
    t.is(writer.status.offset, 0)
    t.is(writer.digest, digestOf(''))
    await t.throwsAsync(readBlob(content('ns2'), target), { code: 'NOT_FOUND' })
    await writer.write(bytes)
    t.is(await writer.commit(target), target.digest)
    t.true(bytes.equals(await readBlob(content('ns2'), target)))
    t.deepEqual(await all(content('ns2').statuses()), [])
  })

  shareTests(test, `${name}: SharedNamespaceIsolate`, async t => {
    const namespaces = await open(t)
    await namespaces.share('ns1')
    return namespaces
  })
}

function shareTests(test: TestFn, name: string, open: Open): void {
  test(`${name}: nothing is written twice`, async t => {
    const { content } = await open(t)
    await put(content('ns1'), bytes)
    await t.throwsAsync(content('ns2').info(target.digest), { code: 'NOT_FOUND' })
    await using writer = await content('ns2').writer({ ref: 'r', expected: target })
    t.is(writer.offset, bytes.byteLength)
    t.is(writer.digest, target.digest)
    t.is(writer.status.offset, bytes.byteLength)
    t.is(writer.status.total, bytes.byteLength)
    t.is(writer.status.expected, target.digest)
    t.deepEqual(await all(content('ns2').statuses()), [], 'a virtual ingest is not listed')
    await t.throwsAsync(content('ns2').info(target.digest), { code: 'NOT_FOUND' })
    t.is(await writer.commit(target), target.digest)
    for (const ns of ['ns1', 'ns2']) t.true(bytes.equals(await readBlob(content(ns), target)))
  })

  test(`${name}: another size than the caller says is not shared`, async t => {
    const { content } = await open(t)
    await put(content('ns1'), bytes)
    await using writer = await content('ns2').writer({ ref: 'r', expected: { ...target, size: 5 } })
    t.is(writer.offset, 0)
  })

  test(`${name}: what does not fit the shared bytes is refused, and the ingest stays`, async t => {
    const { content } = await open(t)
    await put(content('ns1'), bytes)
    const other = digestOf('other')
    for (const wrong of [{ size: 5 }, { digest: other }, { ...target, digest: other }]) {
      const writer = await content('ns2').writer({ ref: 'r', expected: target })
      await t.throwsAsync(writer.commit(wrong), { code: 'FAILED_PRECONDITION' })
      await t.throwsAsync(content('ns2').info(target.digest), { code: 'NOT_FOUND' })
    }
    await using writer = await content('ns2').writer({ ref: 'r', expected: target })
    t.is(await writer.commit(), target.digest)
  })

  test(`${name}: CrossNamespaceAppend: writing more copies first`, async t => {
    const { content } = await open(t)
    await put(content('ns1'), bytes)
    await using writer = await content('ns2').writer({ ref: 'r', expected: { digest: target.digest } })
    t.is(writer.offset, bytes.byteLength)
    const extra = randomBytes('extra', 300_000)
    const whole = Buffer.concat([bytes, extra])
    await writer.write(new Uint8Array(0))
    t.deepEqual(await all(content('ns2').statuses()), [])
    await writer.write(extra)
    t.is(writer.offset, whole.byteLength)
    t.is((await all(content('ns2').statuses())).length, 1)
    t.is(await writer.commit(targetOf(whole)), digestOf(whole))
    t.true(bytes.equals(await readBlob(content('ns1'), target)))
    t.true(whole.equals(await readBlob(content('ns2'), targetOf(whole))))
    await t.throwsAsync(content('ns2').info(target.digest), { code: 'NOT_FOUND' })
    await t.throwsAsync(content('ns1').info(digestOf(whole)), { code: 'NOT_FOUND' })
  })

  test(`${name}: reset() of a virtual writer starts an empty one`, async t => {
    const { content } = await open(t)
    await put(content('ns1'), bytes)
    await using writer = await content('ns2').writer({ ref: 'r', expected: target })
    await writer.reset()
    t.is(writer.offset, 0)
    await writer.write(Buffer.from('new'))
    t.is(await writer.commit(), digestOf('new'))
    t.true(bytes.equals(await readBlob(content('ns1'), target)))
  })

  test(`${name}: abort() of a virtual ingest`, async t => {
    const { content } = await open(t)
    await put(content('ns1'), bytes)
    const writer = await content('ns2').writer({ ref: 'r', expected: target })
    await t.throwsAsync(content('ns2').writer({ ref: 'r' }), { code: 'UNAVAILABLE' })
    await content('ns2').abort('r')
    await t.throwsAsync(writer.commit(), { code: 'ABORTED' })
    await t.throwsAsync(content('ns2').abort('r'), { code: 'NOT_FOUND' })
    await t.throwsAsync(content('ns2').info(target.digest), { code: 'NOT_FOUND' })
  })

  test(`${name}: refs, labels and deletion are each namespace's own`, async t => {
    const { content } = await open(t)
    const [one, two] = [content('ns1'), content('ns2')]
    await put(one, bytes, { labels: { of: 'one' } })
    await using writer = await two.writer({ ref: 'r', expected: target })
    await using same = await one.writer({ ref: 'r' })
    t.is(same.offset, 0)
    await writer.commit({ labels: { of: 'two' } })
    t.deepEqual({ ...(await one.info(target.digest)).labels }, { of: 'one' })
    t.deepEqual({ ...(await two.info(target.digest)).labels }, { of: 'two' })
    await one.delete(target.digest)
    await t.throwsAsync(readBlob(one, target), { code: 'NOT_FOUND' })
    t.true(bytes.equals(await readBlob(two, target)))
  })
}
