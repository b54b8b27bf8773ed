import type { ExecutionContext, TestFn } from 'ava'
import { has, readBlob } from '../../src/content/blob.ts'
import { copyBlob } from '../../src/content/copy.ts'
import type { CommitOptions, ContentStore, Info, Writer } from '../../src/content/types.ts'
import { type Digest, digestOf, parseDigest } from '../../src/oci/digest.ts'
import { all, collect, providerOf, randomBytes, targetOf } from '../support/bytes.ts'

/** What a store under test can do beyond the contract's least. */
export interface ContentFeatures {
  /** Labels are kept; otherwise `update` is refused. */
  readonly labels: boolean
}

type Open = (t: ExecutionContext) => Promise<ContentStore>

const absent = parseDigest(`sha256:${'0'.repeat(64)}`)

/** Writes and commits one blob. */
export async function put(
  store: ContentStore,
  bytes: Uint8Array,
  options: CommitOptions = {},
): Promise<Digest> {
  await using writer = await store.writer({ ref: `put-${digestOf(bytes)}` })
  await writer.write(bytes)
  return await writer.commit(options)
}

const between = (t: ExecutionContext, date: Date, [from, to]: readonly [number, number], what: string) =>
  t.true(date.getTime() >= from && date.getTime() <= to, `${what}: ${date.getTime()} in ${from}…${to}`)

const timed = async <T>(work: () => Promise<T>): Promise<[T, readonly [number, number]]> => {
  const from = Date.now()
  const result = await work()
  return [result, [from, Date.now()]]
}

/**
 * What every content store must do, on disk, in memory, in a bucket or behind gRPC.
 *
 * The tests named in capitals are those of containerd's own suite.
 *
 * @see containerd core/content/testsuite
 */
export function contentSuite(test: TestFn, name: string, open: Open, features: ContentFeatures): void {
  writerTests(test, name, open, features)
  commitTests(test, name, open)
  resumeTests(test, name, open)
  readTests(test, name, open)
  listTests(test, name, open)
  labelTests(test, name, open, features)
  ingestTests(test, name, open)
}

function writerTests(test: TestFn, name: string, open: Open, features: ContentFeatures): void {
  test(`${name}: Writer: five refs at once, whatever is known of them`, async t => {
    const store = await open(t)
    const sizes = [100, 200, 256, 256, 32 * 1024 * 1024]
    const known = [
      {},
      { size: 200 },
      { digest: digestOf(randomBytes(2, 256)) },
      { size: 256, digest: digestOf(randomBytes(3, 256)) },
      { size: 32 * 1024 * 1024, digest: digestOf(randomBytes(4, 32 * 1024 * 1024)) },
    ]
    const writers = await Promise.all(known.map((expected, at) => store.writer({ ref: `c${at}`, expected })))
    for (const [at, writer] of writers.entries()) {
      const bytes = randomBytes(at, sizes[at] ?? 0)
      const chunk = at === 4 ? 32 * 1024 : 32
      const buffer = Buffer.alloc(chunk)
      for (let from = 0; from < bytes.byteLength; from += chunk) {
        const length = bytes.copy(buffer, 0, from, from + chunk)
        await writer.write(buffer.subarray(0, length))
      }
      buffer.fill(0)
      t.is(writer.digest, digestOf(bytes))
      const labels = { [`label-${at}`]: 'x' }
      const [digest, window] = await timed(() => writer.commit({ labels }))
      t.is(digest, digestOf(bytes))
      const info = await store.info(digest)
      t.is(info.size, bytes.byteLength)
      if (features.labels) t.deepEqual({ ...info.labels }, labels)
      between(t, info.createdAt, window, 'createdAt')
      between(t, info.updatedAt, window, 'updatedAt')
      t.true(bytes.equals(await collect(store.read({ ...targetOf(bytes), digest }))))
    }
  })

  test(`${name}: UpdateStatus: offset, total, digest and times follow the writes`, async t => {
    const store = await open(t)
    const bytes = randomBytes('status', 256)
    const digest = digestOf(bytes)
    const [writer, opened] = await timed(() => store.writer({ ref: 'c1', expected: { size: 256, digest } }))
    let window = opened
    let at = 0
    for (const next of [0, 64, 192, 256]) {
      if (next > 0) [, window] = await timed(() => writer.write(bytes.subarray(at, next)))
      at = next
      for (const status of [writer.status, await store.status('c1')]) {
        t.is(status.ref, 'c1')
        t.is(status.offset, next)
        t.is(status.total, 256)
        between(t, status.startedAt, opened, 'startedAt')
        between(t, status.updatedAt, window, 'updatedAt')
      }
      t.is(writer.offset, next)
      t.is(writer.digest, digestOf(bytes.subarray(0, next)))
    }
    const [, committed] = await timed(() => writer.commit({ size: 256, digest }))
    between(t, (await store.info(digest)).createdAt, committed, 'createdAt')
    t.is((await store.info(digest)).size, 256)
  })

  test(`${name}: SmallBlob: six bytes, read with a range one too long`, async t => {
    const store = await open(t)
    const bytes = Buffer.from('foobar')
    await put(store, bytes)
    const target = targetOf(bytes)
    t.is(String(await collect(store.read(target, { length: 7 }))), 'foobar')
    t.is(digestOf(await collect(store.read(target, { offset: 0, length: 7 }))), target.digest)
    const reading = store.read(target)[Symbol.asyncIterator]()
    await reading.next()
    await reading.return?.()
    await reading.return?.()
    t.is(Buffer.from(await readBlob(store, target)).toString(), 'foobar')
  })

  test(`${name}: the empty blob is a blob`, async t => {
    const store = await open(t)
    const target = targetOf(Buffer.alloc(0))
    await using writer = await store.writer({ ref: 'empty', expected: target })
    t.is(await writer.commit(target), target.digest)
    t.is((await store.info(target.digest)).size, 0)
    t.is((await readBlob(store, target)).byteLength, 0)
    t.true(await has(store, target))
  })

  test(`${name}: write() has taken the chunk when it resolves`, async t => {
    const store = await open(t)
    const bytes = randomBytes('reuse', 3_000_000)
    await using writer = await store.writer({ ref: 'reuse' })
    const chunk = Buffer.alloc(300_000)
    for (let at = 0; at < bytes.byteLength; at += chunk.byteLength) {
      bytes.copy(chunk, 0, at)
      await writer.write(chunk)
      chunk.fill(7)
    }
    await writer.write(new Uint8Array(0))
    t.is(await writer.commit(), digestOf(bytes))
    t.true(bytes.equals(await collect(store.read(targetOf(bytes)))))
  })

  test(`${name}: write() calls that are not awaited keep their order`, async t => {
    const store = await open(t)
    const bytes = randomBytes('order', 2_000_000)
    await using writer = await store.writer({ ref: 'order' })
    const cuts = [0, 10, 600_000, 600_001, 1_300_000, 2_000_000]
    const writes = cuts.slice(1).map((end, at) => writer.write(bytes.subarray(cuts[at], end)))
    const [digest] = await Promise.all([writer.commit(targetOf(bytes)), ...writes])
    t.is(digest, digestOf(bytes))
    t.true(bytes.equals(await collect(store.read(targetOf(bytes)))))
  })

  test(`${name}: writer() refuses an empty ref`, async t => {
    await t.throwsAsync((await open(t)).writer({ ref: '' }), { code: 'INVALID_ARGUMENT' })
  })

  test(`${name}: writer() takes any other text as a ref`, async t => {
    const store = await open(t)
    const refs = ['../../x', 'a/b\\c', '.', 'é中\u{1f600}', 'x'.repeat(5000), '__proto__', 'a b\n']
    for (const ref of refs) {
      const writer = await store.writer({ ref })
      await writer.write(Buffer.from(ref))
      await writer[Symbol.asyncDispose]()
      t.is((await store.status(ref)).ref, ref)
    }
    t.deepEqual((await all(store.statuses())).map(({ ref }) => ref).toSorted(), refs.toSorted())
    for (const ref of refs) await store.abort(ref)
    t.deepEqual(await all(store.statuses()), [])
  })

  test(`${name}: writer() refuses a ref that is held, and says since when`, async t => {
    const store = await open(t)
    const writer = await store.writer({ ref: 'held' })
    const error = await t.throwsAsync(store.writer({ ref: 'held' }), { code: 'UNAVAILABLE' })
    t.regex(error?.message ?? '', /held.* ms/)
    await writer[Symbol.asyncDispose]()
    await using again = await store.writer({ ref: 'held' })
    // A second disposal of the first writer must not let go of what the second holds.
    await writer[Symbol.asyncDispose]()
    await t.throwsAsync(store.writer({ ref: 'held' }), { code: 'UNAVAILABLE' })
    t.is(again.offset, 0)
  })

  test(`${name}: a signal that has fired stops every call`, async t => {
    const store = await open(t)
    const digest = await put(store, Buffer.from('aborted'))
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    const target = targetOf(Buffer.from('aborted'))
    await using writer = await store.writer({ ref: 'open' })
    const calls: Array<() => Promise<unknown>> = [
      () => store.info(digest, { signal }),
      () => store.update(digest, { labels: { a: 'b' } }, { signal }),
      () => store.delete(digest, { signal }),
      () => store.status('open', { signal }),
      () => store.abort('open', { signal }),
      () => store.writer({ ref: 'other' }, { signal }),
      () => writer.write(Buffer.from('x'), { signal }),
      () => writer.reset({ signal }),
      () => collect(store.read(target, { signal })),
      () => all(store.list([], { signal })),
      () => all(store.statuses([], { signal })),
    ]
    for (const call of calls) t.is(await t.throwsAsync(call()), reason, String(call))
    t.is(await t.throwsAsync(writer.commit({ signal })), reason)
    t.is((await store.info(digest)).size, 7)
  })
}

function commitTests(test: TestFn, name: string, open: Open): void {
  test(`${name}: a blob is invisible until it is committed, its ingest after`, async t => {
    const store = await open(t)
    const bytes = Buffer.from('invisible')
    const target = targetOf(bytes)
    await using writer = await store.writer({ ref: 'a', expected: target })
    await writer.write(bytes)
    await t.throwsAsync(readBlob(store, target), { code: 'NOT_FOUND' })
    await t.throwsAsync(store.info(target.digest), { code: 'NOT_FOUND' })
    t.deepEqual(await all(store.list()), [])
    t.is((await all(store.statuses())).length, 1)
    await writer.commit(target)
    t.deepEqual(Buffer.from(await readBlob(store, target)), bytes)
    t.is((await all(store.list())).length, 1)
    t.deepEqual(await all(store.statuses()), [])
    await t.throwsAsync(store.status('a'), { code: 'NOT_FOUND' })
  })

  test(`${name}: CommitExists: known bytes under new refs`, async t => {
    const store = await open(t)
    const bytes = Buffer.from('this is the content')
    const target = targetOf(bytes)
    await put(store, bytes)
    for (const [ref, options] of [
      ['c2', target],
      ['c3', { size: target.size }],
    ] as const) {
      const writer = await store.writer({ ref })
      await writer.write(bytes)
      await t.throwsAsync(writer.commit(options), { code: 'ALREADY_EXISTS' })
      await t.throwsAsync(store.status(ref), { code: 'NOT_FOUND' })
    }
    await t.throwsAsync(store.writer({ ref: 'c4', expected: target }), { code: 'ALREADY_EXISTS' })
    t.deepEqual(await all(store.statuses()), [])
    t.deepEqual(Buffer.from(await readBlob(store, target)), bytes)
  })

  test(`${name}: CommitErrorState: what each failed commit leaves`, async t => {
    const store = await open(t)
    const c1 = Buffer.from('existing content')
    const d1 = await put(store, c1)
    const c2 = Buffer.concat([c1, Buffer.from('more')])
    const reopen = async (offset: number): Promise<Writer> => {
      const writer = await store.writer({ ref: 'c' })
      await t.throwsAsync(store.writer({ ref: 'c' }), { code: 'UNAVAILABLE' })
      t.is(writer.offset, offset)
      return writer
    }
    let writer = await reopen(0)
    await writer.write(c1)
    await t.throwsAsync(writer.commit({ digest: d1 }), { code: 'ALREADY_EXISTS' })
    writer = await reopen(0)
    await writer.write(c1)
    await t.throwsAsync(writer.commit(), { code: 'ALREADY_EXISTS' })
    writer = await reopen(0)
    await writer.write(c2)
    await t.throwsAsync(writer.commit({ size: c2.byteLength, digest: d1 }), { code: 'FAILED_PRECONDITION' })
    writer = await reopen(c2.byteLength)
    await t.throwsAsync(writer.commit({ size: c1.byteLength }), { code: 'FAILED_PRECONDITION' })
    writer = await reopen(c2.byteLength)
    t.is(await writer.commit({ size: c2.byteLength }), digestOf(c2))
    writer = await reopen(0)
    await writer.write(c1)
    await t.throwsAsync(writer.commit(), { code: 'ALREADY_EXISTS' })
    for (let turn = 0; turn < 2; turn++) {
      writer = await reopen(0)
      await writer.reset()
      await writer[Symbol.asyncDispose]()
    }
  })

  test(`${name}: a closed writer takes nothing`, async t => {
    const store = await open(t)
    const writer = await store.writer({ ref: 'closed' })
    await writer.write(Buffer.from('half'))
    await writer[Symbol.asyncDispose]()
    await writer[Symbol.asyncDispose]()
    await t.throwsAsync(writer.write(Buffer.from('x')), { code: 'FAILED_PRECONDITION' })
    await t.throwsAsync(writer.reset(), { code: 'FAILED_PRECONDITION' })
    await t.throwsAsync(writer.commit(), { code: 'FAILED_PRECONDITION' })
    t.is((await store.status('closed')).offset, 4)
    await using again = await store.writer({ ref: 'closed' })
    t.is(await again.commit(), digestOf('half'))
    await t.throwsAsync(again.commit(), { code: 'FAILED_PRECONDITION' })
  })

  for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
    test(`${name}: 4 MiB, its ${algorithm} told only at commit`, async t => {
      const store = await open(t)
      const bytes = randomBytes(algorithm, 4 * 1024 * 1024)
      const target = targetOf(bytes, algorithm)
      const wrong = await store.writer({ ref: 'w' })
      await wrong.write(bytes.subarray(1))
      await t.throwsAsync(wrong.commit({ digest: target.digest }), { code: 'FAILED_PRECONDITION' })
      await using writer = await store.writer({ ref: 'w' })
      await writer.reset()
      await writer.write(bytes)
      t.is(await writer.commit(target), target.digest)
      t.is((await store.info(target.digest)).size, bytes.byteLength)
      t.true(bytes.equals(await collect(store.read(target))))
    })

    test(`${name}: ${algorithm} told at the opening`, async t => {
      const store = await open(t)
      const target = targetOf(Buffer.from('told'), algorithm)
      await using writer = await store.writer({ ref: 'w', expected: target })
      await writer.write(Buffer.from('told'))
      t.is(await writer.commit(target), target.digest)
      await t.throwsAsync(store.writer({ ref: 'w2', expected: target }), { code: 'ALREADY_EXISTS' })
    })
  }

  test(`${name}: the same bytes under many refs at once: one commits, the others find them`, async t => {
    const store = await open(t)
    const bytes = randomBytes('twice', 100_000)
    const writers = await Promise.all(Array.from({ length: 8 }, (_, at) => store.writer({ ref: `r${at}` })))
    for (const writer of writers) await writer.write(bytes)
    const results = await Promise.allSettled(writers.map(writer => writer.commit(targetOf(bytes))))
    t.is(results.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const result of results) {
      if (result.status === 'rejected') t.is(result.reason.code, 'ALREADY_EXISTS')
    }
    t.true(bytes.equals(await readBlob(store, targetOf(bytes))))
    t.deepEqual(await all(store.statuses()), [])
  })
}

function resumeTests(test: TestFn, name: string, open: Open): void {
  test(`${name}: Resume: half, close, the other half`, async t => {
    const store = await open(t)
    const bytes = randomBytes('resume', 256)
    const expected = targetOf(bytes)
    const [first, started] = await timed(() => store.writer({ ref: 'r', expected }))
    const [, written] = await timed(() => first.write(bytes.subarray(0, 128)))
    const { status, digest } = first
    await first[Symbol.asyncDispose]()
    await using writer = await store.writer({ ref: 'r', expected })
    t.is(writer.digest, digest)
    t.is(writer.offset, 128)
    t.is(writer.status.total, 256)
    t.is(writer.status.startedAt.getTime(), status.startedAt.getTime())
    between(t, writer.status.startedAt, started, 'startedAt')
    between(t, writer.status.updatedAt, [written[0], Date.now()], 'updatedAt')
    await writer.write(bytes.subarray(128))
    t.is(await writer.commit(), expected.digest)
    await writer[Symbol.asyncDispose]()
    t.is((await store.info(expected.digest)).size, 256)
  })

  /** How containerd's five tests bring in the rest; seekable sources and readers at an offset are one thing here. */
  const finish: Record<string, (store: ContentStore, bytes: Buffer, ref: string) => Promise<void>> = {
    async ResumeTruncate(store, bytes, ref) {
      await using writer = await store.writer({ ref, expected: targetOf(bytes) })
      await writer.reset()
      await writer.write(bytes)
      await writer.commit(targetOf(bytes))
    },
    async ResumeDiscard(store, bytes, ref) {
      await using writer = await store.writer({ ref, expected: targetOf(bytes) })
      await writer.write(bytes.subarray(writer.offset))
      await writer.commit(targetOf(bytes))
    },
    async ResumeCopy(store, bytes, ref) {
      await copyBlob(providerOf(bytes, 7), store, targetOf(bytes), { ref })
    },
    async ResumeCopySeeker(store, bytes, ref) {
      await copyBlob(providerOf(bytes, 1 << 20), store, targetOf(bytes), { ref })
    },
    async ResumeCopyReaderAt(store, bytes, ref) {
      const data = bytes.toString('base64')
      const fails = { read: () => Promise.reject(new Error('the bytes are in the descriptor')) }
      await copyBlob(
        {
          read: async function* () {
            yield await fails.read()
          },
        },
        store,
        { ...targetOf(bytes), data },
        { ref },
      )
    },
  }

  for (const [way, rest] of Object.entries(finish)) {
    test(`${name}: ${way}: every size from every fraction`, async t => {
      const store = await open(t)
      for (const size of [500, 5_000, 50_000]) {
        for (const fraction of [0, 0.1, 0.5, 0.9, 1]) {
          const ref = `${size}-${fraction}`
          const bytes = randomBytes(`${way} ${ref}`, size)
          const partial = size * fraction
          const first = await store.writer({ ref, expected: targetOf(bytes) })
          await first.write(bytes.subarray(0, partial))
          await first[Symbol.asyncDispose]()
          const again = await store.writer({ ref, expected: targetOf(bytes) })
          t.is(again.offset, partial)
          await again[Symbol.asyncDispose]()
          await rest(store, bytes, ref)
          t.is((await store.info(digestOf(bytes))).size, size)
          t.true(bytes.equals(await readBlob(store, targetOf(bytes))))
        }
      }
      t.deepEqual(await all(store.statuses()), [])
    })
  }

  test(`${name}: an ingest with another total begins anew`, async t => {
    const store = await open(t)
    const first = await store.writer({ ref: 'r', expected: { size: 100 } })
    await first.write(randomBytes(1, 60))
    await first[Symbol.asyncDispose]()
    await using writer = await store.writer({ ref: 'r', expected: { size: 20 } })
    t.is(writer.offset, 0)
    t.is(writer.status.total, 20)
    await writer.write(randomBytes(2, 20))
    t.is(await writer.commit({ size: 20 }), digestOf(randomBytes(2, 20)))
  })

  test(`${name}: reset() drops everything and the writer goes on`, async t => {
    const store = await open(t)
    await using writer = await store.writer({ ref: 'r' })
    await writer.write(randomBytes('dropped', 700_000))
    await writer.reset()
    t.is(writer.offset, 0)
    t.is(writer.status.offset, 0)
    t.is(writer.digest, digestOf(''))
    await writer.write(Buffer.from('short'))
    t.is(await writer.commit({ size: 5 }), digestOf('short'))
    t.is((await store.info(digestOf('short'))).size, 5)
  })
}

function readTests(test: TestFn, name: string, open: Open): void {
  test(`${name}: read() gives any part`, async t => {
    const store = await open(t)
    const bytes = randomBytes('parts', 1_000_000)
    await put(store, bytes)
    const target = targetOf(bytes)
    const parts: ReadonlyArray<readonly [number | undefined, number | undefined]> = [
      [undefined, undefined],
      [0, 0],
      [0, 1],
      [5, 10],
      [262_143, 2],
      [999_999, 1],
      [999_999, 100],
      [1_000_000, 1],
      [1_000_001, undefined],
      [500_000, undefined],
      [undefined, 300_000],
    ]
    for (const [offset, length] of parts) {
      const expected = bytes.subarray(offset, length === undefined ? undefined : (offset ?? 0) + length)
      t.true(expected.equals(await collect(store.read(target, { offset, length }))), `${offset} ${length}`)
    }
  })

  test(`${name}: read() refuses offsets and lengths that are none, when called`, async t => {
    const store = await open(t)
    const target = targetOf(Buffer.from('x'))
    for (const bad of [-1, 1.5, Number.NaN]) {
      t.throws(() => store.read(target, { offset: bad }), { code: 'INVALID_ARGUMENT' })
      t.throws(() => store.read(target, { length: bad }), { code: 'INVALID_ARGUMENT' })
    }
  })

  test(`${name}: read() gives each chunk a buffer of its own`, async t => {
    const store = await open(t)
    const bytes = randomBytes('own', 1_500_000)
    await put(store, bytes)
    const first = await all(store.read(targetOf(bytes)))
    t.true(bytes.equals(Buffer.concat(first)))
    for (const chunk of first) chunk.fill(0)
    t.true(bytes.equals(await collect(store.read(targetOf(bytes)))))
  })

  test(`${name}: read() can be left early, and stopped by its signal`, async t => {
    const store = await open(t)
    const bytes = randomBytes('early', 2_000_000)
    await put(store, bytes)
    for await (const chunk of store.read(targetOf(bytes))) {
      t.true(chunk.byteLength > 0)
      break
    }
    const stop = new AbortController()
    stop.abort(new Error('stopped'))
    await t.throwsAsync(collect(store.read(targetOf(bytes), { signal: stop.signal })), { message: 'stopped' })
  })

  test(`${name}: what is not there is NOT_FOUND, by its digest`, async t => {
    const store = await open(t)
    const target = { digest: absent, size: 1, mediaType: '' }
    const missing = { code: 'NOT_FOUND', message: new RegExp(absent) }
    await t.throwsAsync(collect(store.read(target)), missing)
    await t.throwsAsync(store.info(absent), missing)
    await t.throwsAsync(store.delete(absent), missing)
    await t.throwsAsync(store.status('nobody'), { code: 'NOT_FOUND', message: /nobody/ })
    await t.throwsAsync(store.abort('nobody'), { code: 'NOT_FOUND', message: /nobody/ })
    t.false(await has(store, target))
  })

  test(`${name}: delete() takes the blob away, and it can come back`, async t => {
    const store = await open(t)
    const bytes = Buffer.from('gone')
    const digest = await put(store, bytes, { labels: { old: 'yes' } })
    await store.delete(digest)
    await t.throwsAsync(store.info(digest), { code: 'NOT_FOUND' })
    await t.throwsAsync(store.delete(digest), { code: 'NOT_FOUND' })
    t.is(await put(store, bytes), digest)
    t.deepEqual({ ...(await store.info(digest)).labels }, {})
  })
}

function listTests(test: TestFn, name: string, open: Open): void {
  test(`${name}: a fresh store lists nothing`, async t => {
    const store = await open(t)
    t.deepEqual(await all(store.list()), [])
    t.deepEqual(await all(store.statuses()), [])
  })

  test(`${name}: list() gives 79×2 blobs in order of digest`, async t => {
    const store = await open(t)
    const expected: string[] = []
    for (let at = 0; at < 79; at++) {
      expected.push(await put(store, Buffer.from(`a${at}`)))
      const bytes = Buffer.from(`b${at}`)
      expected.push(await put(store, bytes, { digest: digestOf(bytes, 'sha512') }))
    }
    t.deepEqual(
      (await all(store.list())).map(({ digest }) => String(digest)),
      expected.toSorted(),
    )
  })

  test(`${name}: list() filters by digest, and may be changed while it goes`, async t => {
    const store = await open(t)
    const digests = await Promise.all(['a', 'b', 'c', 'd'].map(text => put(store, Buffer.from(text))))
    const [one, two] = digests.toSorted()
    const only = await all(store.list([`digest==${one}`, `digest==${two}`]))
    t.deepEqual(
      only.map(({ digest }) => digest),
      [one, two],
    )
    t.deepEqual(await all(store.list(['size==1'])), [])
    for await (const { digest } of store.list()) await store.delete(digest)
    t.deepEqual(await all(store.list()), [])
  })

  test(`${name}: list() and statuses() refuse a bad filter when called`, async t => {
    const store = await open(t)
    t.throws(() => store.list(['digest=x']), { code: 'INVALID_ARGUMENT' })
    t.throws(() => store.statuses(['ref=x']), { code: 'INVALID_ARGUMENT' })
  })
}

function labelTests(test: TestFn, name: string, open: Open, { labels }: ContentFeatures): void {
  if (!labels) {
    test(`${name}: update() is refused where no labels are kept`, async t => {
      const store = await open(t)
      const digest = await put(store, Buffer.from('x'), { labels: { a: 'b' } })
      await t.throwsAsync(store.update(digest, { labels: { a: 'c' } }), { code: 'FAILED_PRECONDITION' })
      t.deepEqual({ ...(await store.info(digest)).labels }, {})
    })
    return
  }

  test(`${name}: Labels: replace all, then set one and remove one`, async t => {
    const store = await open(t)
    const at = { k1: 'v1', k2: 'v2', 'containerd.io/gc.root': 'now' }
    const digest = await put(store, Buffer.from('labelled'), { labels: at })
    const before = await store.info(digest)
    t.deepEqual({ ...before.labels }, at)
    const check = async (info: Info, window: readonly [number, number], expected: object) => {
      t.deepEqual({ ...info.labels }, { ...expected })
      t.deepEqual({ ...(await store.info(digest)).labels }, { ...expected })
      t.is(info.createdAt.getTime(), before.createdAt.getTime())
      between(t, info.updatedAt, window, 'updatedAt')
    }
    const next = { k1: 'v1', k3: 'v3', 'containerd.io/gc.root': 'now' }
    const [replaced, first] = await timed(() => store.update(digest, { labels: next, replace: true }))
    await check(replaced, first, next)
    const change = { k1: 'changed', k3: null }
    const [merged, second] = await timed(() => store.update(digest, { labels: change }))
    await check(merged, second, { k1: 'changed', 'containerd.io/gc.root': 'now' })
    const [emptied, third] = await timed(() => store.update(digest, { labels: { k1: '' } }))
    await check(emptied, third, { 'containerd.io/gc.root': 'now' })
  })

  test(`${name}: labels may have any key`, async t => {
    const store = await open(t)
    const odd = Object.fromEntries([
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['a.b/c', 'd'],
      ['ключ', 'é'],
    ])
    const digest = await put(store, Buffer.from('odd'), { labels: { ...odd, empty: '' } })
    t.deepEqual(Object.entries((await store.info(digest)).labels).toSorted(), Object.entries(odd).toSorted())
    t.is((await all(store.list(['labels."a.b/c"==d']))).length, 1)
    t.is((await all(store.list(['labels.toString']))).length, 0)
  })

  test(`${name}: list() filters by label`, async t => {
    const store = await open(t)
    for (let at = 0; at < 6; at++) {
      await put(store, Buffer.from(`l${at}`), { labels: { [at % 2 ? 'odd' : 'even']: String(at) } })
    }
    t.is((await all(store.list(['labels.even']))).length, 3)
    t.is((await all(store.list(['labels.even==2', 'labels.odd==3']))).length, 2)
    t.is((await all(store.list(['labels.even==2,labels.odd==3']))).length, 0)
  })

  test(`${name}: labels of a commit that finds the blob there change nothing`, async t => {
    const store = await open(t)
    const digest = await put(store, Buffer.from('kept'), { labels: { a: '1' } })
    await t.throwsAsync(put(store, Buffer.from('kept'), { labels: { a: '2', b: '3' } }), {
      code: 'ALREADY_EXISTS',
    })
    t.deepEqual({ ...(await store.info(digest)).labels }, { a: '1' })
  })

  test(`${name}: update() of what is not there is NOT_FOUND`, async t => {
    const store = await open(t)
    await t.throwsAsync(store.update(absent, { labels: { a: 'b' } }), { code: 'NOT_FOUND' })
  })

  test(`${name}: copyBlob() of a blob that is there merges its labels`, async t => {
    const store = await open(t)
    const bytes = Buffer.from('merged')
    await put(store, bytes, { labels: { a: '1', b: '1' } })
    await copyBlob(providerOf(bytes), store, targetOf(bytes), { labels: { b: '2', c: '2' } })
    t.deepEqual({ ...(await store.info(digestOf(bytes))).labels }, { a: '1', b: '2', c: '2' })
  })
}

function ingestTests(test: TestFn, name: string, open: Open): void {
  test(`${name}: statuses() lists ingests by ref, open or not, and filters`, async t => {
    const store = await open(t)
    const later = await store.writer({ ref: 'b', expected: { size: 9 } })
    await later.write(Buffer.from('12345'))
    const earlier = await store.writer({ ref: 'a' })
    await earlier[Symbol.asyncDispose]()
    const list = await all(store.statuses())
    t.deepEqual(
      list.map(({ ref, offset, total }) => ({ ref, offset, total })),
      [
        { ref: 'a', offset: 0, total: undefined },
        { ref: 'b', offset: 5, total: 9 },
      ],
    )
    t.deepEqual(
      (await all(store.statuses(['ref==b']))).map(({ ref }) => ref),
      ['b'],
    )
    t.deepEqual((await all(store.statuses(['ref~=^[ab]$']))).length, 2)
    await later[Symbol.asyncDispose]()
    t.is((await store.status('b')).offset, 5)
  })

  test(`${name}: abort() throws the bytes away`, async t => {
    const store = await open(t)
    const writer = await store.writer({ ref: 'r' })
    await writer.write(Buffer.from('bytes'))
    await writer[Symbol.asyncDispose]()
    await store.abort('r')
    await t.throwsAsync(store.status('r'), { code: 'NOT_FOUND' })
    await t.throwsAsync(store.abort('r'), { code: 'NOT_FOUND' })
    await using again = await store.writer({ ref: 'r' })
    t.is(again.offset, 0)
  })

  test(`${name}: abort() under an open writer makes its commit fail, and frees the ref with it`, async t => {
    const store = await open(t)
    const writer = await store.writer({ ref: 'r' })
    await writer.write(Buffer.from('bytes'))
    await store.abort('r')
    await t.throwsAsync(writer.commit(), { code: 'ABORTED' })
    await t.throwsAsync(store.info(digestOf('bytes')), { code: 'NOT_FOUND' })
    await using again = await store.writer({ ref: 'r' })
    t.is(again.offset, 0)
  })

  test(`${name}: statuses() bears with ingests that vanish`, async t => {
    const store = await open(t)
    for (const ref of ['a', 'b', 'c']) await (await store.writer({ ref }))[Symbol.asyncDispose]()
    const seen: string[] = []
    for await (const { ref } of store.statuses()) {
      seen.push(ref)
      if (ref === 'a') await store.abort('b')
    }
    t.is(seen[0], 'a')
    t.is(seen.at(-1), 'c')
  })
}
