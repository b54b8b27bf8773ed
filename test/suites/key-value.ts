import type { ExecutionContext, TestFn } from 'ava'
import fc from 'fast-check'
import type { Entry, KeyValue, Op, RangeOptions, View } from '../../src/metadata/kv.ts'

/** The entries of a range, all at once. */
export async function entries(view: View, prefix = '', options?: RangeOptions): Promise<Entry[]> {
  const list: Entry[] = []
  for await (const entry of view.range(prefix, options)) list.push(entry)
  return list
}

/** The keys of a range. */
export const keysOf = async (view: View, prefix = '', options?: RangeOptions): Promise<string[]> =>
  (await entries(view, prefix, options)).map(({ key }) => key)

const put = (key: string, value: unknown = {}): Op => ({ type: 'put', key, value })
const del = (key: string): Op => ({ type: 'delete', key })
const printable = Array.from({ length: 0x7f - 0x20 }, (_, at) => String.fromCharCode(0x20 + at))

/** What every engine under the records must do. */
export function keyValueSuite(
  test: TestFn,
  name: string,
  open: (t: ExecutionContext) => Promise<KeyValue>,
): void {
  const engine = async (t: ExecutionContext): Promise<KeyValue> => {
    const kv = await open(t)
    t.teardown(() => kv[Symbol.asyncDispose]())
    return kv
  }

  test(`${name}: get() of an absent key is undefined, range() of nothing is empty`, async t => {
    const kv = await engine(t)
    await using snapshot = kv.snapshot()
    t.is(await snapshot.get('a'), undefined)
    t.deepEqual(await entries(snapshot), [])
  })

  test(`${name}: commit() keeps every JSON value as it was`, async t => {
    const kv = await engine(t)
    const values = [0, 1.5, '', 'é\u0000\u{1f600}', true, false, null, [], [null, {}], { a: { b: [1] } }]
    await kv.commit(values.map((value, at) => put(`k${at}`, value)))
    await using snapshot = kv.snapshot()
    for (const [at, value] of values.entries()) t.deepEqual(await snapshot.get(`k${at}`), value)
  })

  test(`${name}: range() gives raw values as JSON text`, async t => {
    const kv = await engine(t)
    await kv.commit([put('a', { b: 1 }), put('c', 'd')])
    await using snapshot = kv.snapshot()
    t.deepEqual(await entries(snapshot, '', { raw: true }), [
      { key: 'a', value: '{"b":1}' },
      { key: 'c', value: '"d"' },
    ])
  })

  test(`${name}: a key called __proto__ in a value survives`, async t => {
    const kv = await engine(t)
    await kv.commit([put('k', JSON.parse('{"__proto__":"x"}'))])
    await using snapshot = kv.snapshot()
    t.is(JSON.stringify(await snapshot.get('k')), '{"__proto__":"x"}')
  })

  test(`${name}: a value that was given out is nobody else's`, async t => {
    const kv = await engine(t)
    const value = { list: [1] }
    await kv.commit([put('k', value)])
    value.list.push(2)
    await using snapshot = kv.snapshot()
    t.deepEqual(await snapshot.get('k'), { list: [1] })
    t.not(await snapshot.get('k'), await snapshot.get('k'))
  })

  test(`${name}: commit() applies in order, so the last change of a key wins`, async t => {
    const kv = await engine(t)
    await kv.commit([put('a', 1), del('a'), put('b', 1), put('b', 2), del('c'), put('c', 3)])
    await using snapshot = kv.snapshot()
    t.deepEqual(await entries(snapshot), [
      { key: 'b', value: 2 },
      { key: 'c', value: 3 },
    ])
  })

  test(`${name}: commit() of a value that is not JSON changes nothing`, async t => {
    const kv = await engine(t)
    await kv.commit([put('a', 1)])
    await t.throwsAsync(kv.commit([put('a', 2), { type: 'put', key: 'b', value: undefined }]), {
      code: 'INVALID_ARGUMENT',
    })
    await using snapshot = kv.snapshot()
    t.deepEqual(await entries(snapshot), [{ key: 'a', value: 1 }])
  })

  test(`${name}: a snapshot does not see later commits, in get() and in range()`, async t => {
    const kv = await engine(t)
    await kv.commit([put('a', 1), put('b', 1)])
    await using before = kv.snapshot()
    await kv.commit([put('a', 2), del('b'), put('c', 2)])
    await using after = kv.snapshot()
    await kv.commit([put('b', 3), del('a'), del('c')])
    t.deepEqual(await entries(before), [
      { key: 'a', value: 1 },
      { key: 'b', value: 1 },
    ])
    t.deepEqual(await entries(after), [
      { key: 'a', value: 2 },
      { key: 'c', value: 2 },
    ])
    t.deepEqual(
      [await before.get('b'), await before.get('c'), await after.get('b')],
      [1, undefined, undefined],
    )
  })

  test(`${name}: a range that is being read does not see commits made meanwhile`, async t => {
    const kv = await engine(t)
    await kv.commit(printable.slice(1).map(key => put(key, 1)))
    await using snapshot = kv.snapshot()
    const seen: string[] = []
    for await (const { key, value } of snapshot.range('')) {
      seen.push(key)
      t.is(value, 1)
      await kv.commit([del(key), put(`${key}0`, 2), put('~', 2)])
    }
    t.deepEqual(seen, printable.slice(1))
  })

  test(`${name}: range() of a prefix has its keys only, in byte order, the prefix itself too`, async t => {
    const kv = await engine(t)
    await kv.commit(['b', 'a/~', 'a/', 'a/b', 'a/b/c', 'a0', 'a', 'a.', 'a/B'].map(key => put(key)))
    await using snapshot = kv.snapshot()
    t.deepEqual(await keysOf(snapshot, 'a/'), ['a/', 'a/B', 'a/b', 'a/b/c', 'a/~'])
    t.deepEqual(await keysOf(snapshot, 'a/b'), ['a/b', 'a/b/c'])
    t.deepEqual(await keysOf(snapshot, 'c'), [])
  })

  test(`${name}: range() takes after and limit`, async t => {
    const kv = await engine(t)
    await kv.commit(['p/a', 'p/b', 'p/c', 'q'].map(key => put(key)))
    await using snapshot = kv.snapshot()
    t.deepEqual(await keysOf(snapshot, 'p/', { after: 'p/a' }), ['p/b', 'p/c'])
    t.deepEqual(await keysOf(snapshot, 'p/', { after: 'p/aa', limit: 1 }), ['p/b'])
    t.deepEqual(await keysOf(snapshot, 'p/', { after: 'a' }), ['p/a', 'p/b', 'p/c'])
    t.deepEqual(await keysOf(snapshot, 'p/', { after: 'p/c' }), [])
    t.deepEqual(await keysOf(snapshot, 'p/', { after: 'z' }), [])
    t.deepEqual(await keysOf(snapshot, 'p/', { limit: 0 }), [])
    t.deepEqual(await keysOf(snapshot, 'p/', { limit: 2 }), ['p/a', 'p/b'])
    t.deepEqual(await keysOf(snapshot, 'p/', { limit: Number.POSITIVE_INFINITY }), ['p/a', 'p/b', 'p/c'])
  })

  test(`${name}: keys take every printable ASCII character`, async t => {
    const kv = await engine(t)
    await kv.commit(printable.toReversed().map(key => put(key, key)))
    await using snapshot = kv.snapshot()
    t.deepEqual(await keysOf(snapshot), printable)
    for (const key of printable) {
      t.is(await snapshot.get(key), key)
      t.deepEqual(await keysOf(snapshot, key), [key])
    }
  })

  test(`${name}: 10,000 entries come back in order, and are left early`, async t => {
    const kv = await engine(t)
    const keys = Array.from({ length: 10_000 }, (_, at) => `k/${String(at).padStart(5, '0')}`)
    await kv.commit(keys.toReversed().map(key => put(key, { key })))
    await using snapshot = kv.snapshot()
    t.deepEqual(await keysOf(snapshot, 'k/'), keys)
    for await (const { key } of snapshot.range('k/', { after: 'k/05000' })) {
      t.is(key, 'k/05001')
      break
    }
    await kv.commit(keys.map(del))
    await using empty = kv.snapshot()
    t.deepEqual(await keysOf(empty), [])
  })

  test(`${name}: get() and range() surface the reason of an aborted signal`, async t => {
    const kv = await engine(t)
    await kv.commit([put('a'), put('b')])
    await using snapshot = kv.snapshot()
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    t.is(await t.throwsAsync(snapshot.get('a', { signal })), reason)
    t.is(await t.throwsAsync(entries(snapshot, '', { signal })), reason)
    t.is(await t.throwsAsync(entries(snapshot, 'none', { signal })), reason)
    const control = new AbortController()
    const seen: string[] = []
    const reading = async (): Promise<void> => {
      for await (const { key } of snapshot.range('', { signal: control.signal })) {
        seen.push(key)
        control.abort(reason)
      }
    }
    t.is(await t.throwsAsync(reading()), reason)
    t.deepEqual(seen, ['a'])
  })

  test(`${name}: a closed engine says UNAVAILABLE`, async t => {
    const kv = await open(t)
    await kv.commit([put('a')])
    const snapshot = kv.snapshot()
    await kv[Symbol.asyncDispose]()
    await kv[Symbol.asyncDispose]()
    t.throws(() => kv.snapshot(), { code: 'UNAVAILABLE' })
    await t.throwsAsync(kv.commit([put('a')]), { code: 'UNAVAILABLE' })
    await t.throwsAsync(snapshot.get('a'), { code: 'UNAVAILABLE' })
    await t.throwsAsync(entries(snapshot), { code: 'UNAVAILABLE' })
    await t.notThrowsAsync(async () => snapshot[Symbol.asyncDispose]())
  })

  test(`${name}: any sequence of commits reads as a sorted map, at any moment`, async t => {
    const key = fc.string({ unit: fc.constantFrom('a', 'b', '/', '!', '~'), minLength: 1, maxLength: 4 })
    const op = fc.oneof(
      fc.record({ type: fc.constant('put' as const), key, value: fc.nat() }),
      fc.record({ type: fc.constant('delete' as const), key }),
    )
    const commits = fc.array(fc.array(op, { maxLength: 6 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(commits, key, key, async (batches, prefix, after) => {
        const kv = await open(t)
        try {
          const model = new Map<string, unknown>()
          const moments: Array<readonly [View & AsyncDisposable, Entry[]]> = []
          for (const batch of batches) {
            for (const change of batch) {
              if (change.type === 'put') model.set(change.key, change.value)
              else model.delete(change.key)
            }
            await kv.commit(batch)
            moments.push([kv.snapshot(), sorted(model)])
          }
          for (const [view, expected] of moments) {
            const wanted = expected.filter(entry => entry.key.startsWith(prefix) && entry.key > after)
            t.deepEqual(await entries(view), expected)
            t.deepEqual(await entries(view, prefix, { after }), wanted)
            await view[Symbol.asyncDispose]()
          }
        } finally {
          await kv[Symbol.asyncDispose]()
        }
      }),
      { numRuns: 40 },
    )
  })
}

const sorted = (model: ReadonlyMap<string, unknown>): Entry[] =>
  [...model].map(([key, value]) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1))
