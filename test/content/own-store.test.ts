import test from 'ava'
import {
  changeLabels,
  has,
  type Info,
  infoFields,
  parseFilters,
  RefLocks,
  readBlob,
  type Status,
  statusFields,
} from 'orlop/content'
import { digestOf } from '../../src/oci/digest.ts'

const bytes = Buffer.from('own')
const digest = digestOf(bytes)
const at = new Date(0)

test('orlop/content has what a store of one’s own needs for its lists', t => {
  const info: Info = { digest, size: 3, labels: { 'a/b': 'x' }, createdAt: at, updatedAt: at }
  const status: Status = { ref: 'r', offset: 0, startedAt: at, updatedAt: at }
  t.true(parseFilters([`digest==${digest},labels."a/b"==x`])(infoFields(info)))
  t.false(parseFilters(['labels.other'])(infoFields(info)))
  t.true(parseFilters(['ref==r'])(statusFields(status)))
  t.throws(() => parseFilters(['digest==']), { code: 'INVALID_ARGUMENT' })
})

test('orlop/content has what a store of one’s own needs for labels and writers', t => {
  t.deepEqual(changeLabels({ a: '1', b: '2' }, { labels: { a: null, c: '3' } }), { b: '2', c: '3' })
  const locks = new RefLocks()
  const lock = locks.acquire('key', 'r')
  t.throws(() => locks.acquire('key', 'r'), { code: 'UNAVAILABLE' })
  lock.release()
  t.notThrows(() => locks.acquire('key', 'r'))
})

test('readBlob() and has() take an object literal for a provider', async t => {
  const provider = {
    async *read() {
      yield bytes
    },
    async info(): Promise<Info> {
      return { digest, size: 3, labels: {}, createdAt: at, updatedAt: at }
    },
  }
  t.is(Buffer.from(await readBlob(provider, { mediaType: '', digest, size: 3 })).toString(), 'own')
  t.true(await has(provider, { digest, size: 3 }))
  t.false(await has(provider, { digest, size: 4 }))
})
