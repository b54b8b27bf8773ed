import test from 'ava'
import { descriptorOf } from '../../src/oci/descriptor.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { type BlobEvent, ProgressTotals } from '../../src/remotes/progress.ts'

const target = descriptorOf(mediaTypes.ociLayer, Buffer.alloc(100))
const other = descriptorOf(mediaTypes.ociLayer, Buffer.alloc(50))
const event = (
  type: BlobEvent['type'],
  offset: number,
  fetched: number,
  reused = 0,
  of = target,
): BlobEvent => ({
  type,
  target: of,
  ref: `layer-${of.digest}`,
  offset,
  total: of.size,
  fetched,
  reused,
})

test('ProgressTotals adds up blobs', t => {
  const totals = new ProgressTotals()
  totals.add({ type: 'resolving', reference: 'a' })
  totals.add(event('waiting', 0, 0))
  totals.add(event('waiting', 0, 0, 0, other))
  t.like(totals.totals(), { blobs: 2, done: 0, total: 150, offset: 0, fetched: 0, reused: 0 })
  totals.add(event('downloading', 30, 0, 30))
  totals.add(event('downloading', 60, 30, 30))
  totals.add(event('exists', 50, 0, 50, other))
  t.like(totals.totals(), { blobs: 2, done: 1, total: 150, offset: 110, fetched: 30, reused: 80 })
  totals.add(event('complete', 100, 70, 30))
  t.like(totals.totals(), { done: 2, offset: 150, fetched: 70, reused: 80 })
  t.deepEqual(
    totals.blobs().map(({ type }) => type),
    ['complete', 'exists'],
  )
})

test('ProgressTotals counts bytes that were dropped as fetched', t => {
  const totals = new ProgressTotals()
  totals.add(event('downloading', 80, 80))
  totals.add(event('downloading', 0, 80))
  totals.add(event('complete', 100, 180))
  t.like(totals.totals(), { offset: 100, fetched: 180 })
})

test('ProgressTotals tells the rate of late', t => {
  let now = 0
  const totals = new ProgressTotals({ now: () => now })
  t.is(totals.totals().rate, 0)
  totals.add(event('downloading', 10, 10))
  for (now = 1000; now <= 4000; now += 1000) totals.add(event('downloading', 10 + now / 100, 10 + now / 100))
  now = 4000
  t.is(totals.totals().rate, 10)
  now = 60_000
  t.is(totals.totals().rate, 0)
})

test('ProgressTotals keeps few samples of many events', t => {
  let now = 0
  const totals = new ProgressTotals({ now: () => now })
  for (let at = 1; at <= 10_000; at++) {
    now = at
    totals.add(event('downloading', 100, at))
  }
  t.true(Math.abs(totals.totals().rate - 1000) < 50)
})
