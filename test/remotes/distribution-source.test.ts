import test from 'ava'
import { copyBlob } from '../../src/content/copy.ts'
import { MemoryStore } from '../../src/content/memory-store.ts'
import { OrlopError } from '../../src/errors.ts'
import { descriptorOf } from '../../src/oci/descriptor.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import {
  distributionSourceKey,
  distributionSources,
  labelDistributionSource,
  withDistributionSource,
} from '../../src/remotes/distribution-source.ts'

const key = 'containerd.io/distribution.source.a.test'

test('distributionSourceKey() leaves out the port', t => {
  t.is(distributionSourceKey('docker.io'), 'containerd.io/distribution.source.docker.io')
  t.is(distributionSourceKey('localhost:5000'), 'containerd.io/distribution.source.localhost')
})

const adds = test.macro({
  exec(t, before: string | undefined, repository: string, after: string | undefined) {
    const labels = before === undefined ? {} : { [key]: before, other: 'x' }
    t.deepEqual(
      withDistributionSource(labels, 'a.test', repository),
      after === undefined ? {} : { [key]: after },
    )
  },
  title: (_, before, repository) =>
    `withDistributionSource() adds ${String(repository).slice(0, 20)} to ${String(before).slice(0, 20)} (${String(before).length})`,
})

test(adds, undefined, 'b', 'b')
test(adds, 'b', 'b', 'b')
test(adds, 'c', 'b', 'b,c')
test(adds, 'c,,a,c', 'b', 'a,b,c')
test(adds, 'b'.repeat(4096 - key.length - 2), 'c', `${'b'.repeat(4096 - key.length - 2)},c`)
test(adds, 'b'.repeat(4096 - key.length - 1), 'c', undefined)

test('distributionSources() of labels without one', t => {
  t.deepEqual(distributionSources({}, 'a.test'), [])
  t.deepEqual(distributionSources({ [key]: 'b,c' }, 'a.test:443'), ['b', 'c'])
})

test('labelDistributionSource() adds to what the store knows', async t => {
  const store = new MemoryStore()
  const bytes = Buffer.from('layer')
  const desc = descriptorOf(mediaTypes.ociLayer, bytes)
  const label = labelDistributionSource(store, 'a.test', 'b')
  t.deepEqual(await label(desc), { [key]: 'b' })
  const from = {
    async *read() {
      yield bytes
    },
  }
  await copyBlob(from, store, desc, { labels: { [key]: 'z' } })
  t.deepEqual(await label(desc), { [key]: 'b,z' })
})

test('labelDistributionSource() passes on errors other than NOT_FOUND', async t => {
  const desc = descriptorOf(mediaTypes.ociLayer, Buffer.from('layer'))
  const failure = new OrlopError('DATA_LOSS', 'broken')
  const label = labelDistributionSource({ info: () => Promise.reject(failure) }, 'a.test', 'b')
  t.is(await t.throwsAsync(label(desc)), failure)
})
