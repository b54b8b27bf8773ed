import test, { type ExecutionContext } from 'ava'
import type { ContentStore } from '../../src/content/types.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { Connection } from '../../src/service/client/connection.ts'
import {
  Content,
  WriteAction,
  type WriteContentResponse,
} from '../../src/service/gen/containerd/services/content/v1/content_pb.ts'
import { all, collect, targetOf } from '../support/bytes.ts'
import { openRemote } from '../support/remote.ts'

const { STAT, WRITE, COMMIT } = WriteAction
type Message = Parameters<ReturnType<Awaited<ReturnType<typeof open>>['write']>['send']>[0]

async function open(t: ExecutionContext) {
  const { address, served } = await openRemote(t)
  const connection = new Connection(address)
  t.teardown(() => connection[Symbol.dispose]())
  const content: ContentStore = served.scope('test').content
  return { content, write: () => connection.duplex(Content.method.write, { namespace: 'test' }), connection }
}

/** Sends all, then gives what comes back. */
const converse = async (
  { write }: Awaited<ReturnType<typeof open>>,
  ...messages: readonly Message[]
): Promise<readonly WriteContentResponse[]> => {
  const session = write()
  for (const message of messages) session.send(message)
  session.end()
  return all(session.messages)
}

const hello = Buffer.from('hello')

test('Write: each message is answered, and the last answer comes twice', async t => {
  const remote = await open(t)
  const answers = await converse(
    remote,
    { action: STAT, ref: 'r', total: 5n },
    { action: WRITE, data: hello.subarray(0, 3) },
    {
      action: COMMIT,
      offset: 3n,
      data: hello.subarray(3),
      total: 5n,
      expected: digestOf('hello'),
      labels: { a: 'b' },
    },
  )
  t.deepEqual(
    answers.map(({ action, offset, total, digest }) => [action, offset, total, digest]),
    [
      [STAT, 0n, 5n, digestOf('')],
      [WRITE, 3n, 5n, digestOf('hel')],
      [COMMIT, 5n, 5n, digestOf('hello')],
      [COMMIT, 5n, 5n, digestOf('hello')],
    ],
  )
  t.deepEqual(answers[2]?.startedAt, answers[0]?.startedAt, 'what STAT told stands in later answers')
  t.deepEqual({ ...(await remote.content.info(digestOf('hello'))).labels }, { a: 'b' })
})

test('Write: the end without COMMIT keeps the bytes for the next stream', async t => {
  const remote = await open(t)
  const answers = await converse(remote, { action: WRITE, ref: 'r', data: hello })
  t.is(answers.length, 2)
  t.is((await remote.content.status('r')).offset, 5)
  const [again] = await converse(remote, { action: STAT, ref: 'r' })
  t.is(again?.offset, 5n)
  t.is(again?.digest, digestOf('hello'))
})

test('Write: offset 0 where there are bytes drops them, with or without data', async t => {
  const remote = await open(t)
  const answers = await converse(
    remote,
    { action: WRITE, ref: 'r', data: Buffer.from('wrong') },
    { action: WRITE, data: hello },
    { action: WRITE },
    { action: COMMIT, data: hello },
  )
  t.deepEqual(
    answers.map(({ offset }) => offset),
    [5n, 5n, 0n, 5n, 5n],
  )
  t.is(String(await collect(remote.content.read(targetOf(hello)))), 'hello')
})

const refused = test.macro({
  async exec(t, code: string, message: RegExp, ...messages: readonly Message[]) {
    const remote = await open(t)
    const writer = await remote.content.writer({ ref: 'there' })
    await writer.write(Buffer.from('there'))
    await writer.commit()
    const held = await remote.content.writer({ ref: 'held' })
    await t.throwsAsync(converse(remote, ...messages), { code, message })
    await held[Symbol.asyncDispose]()
    await using again = await remote.content.writer({ ref: 'r' })
    t.true(again.offset >= 0, 'the ref is free again')
  },
  title: (title = '') => `Write: ${title}`,
})

test('no message at all', refused, 'INVALID_ARGUMENT', /must have a reference/)
test('a first message without ref', refused, 'INVALID_ARGUMENT', /must have a reference/, { action: STAT })
test('a negative total', refused, 'INVALID_ARGUMENT', /total/, { action: STAT, ref: 'r', total: -1n })
test('a digest that is none', refused, 'INVALID_ARGUMENT', /digest/, {
  action: STAT,
  ref: 'r',
  expected: 'x',
})
test('an action that is none', refused, 'INVALID_ARGUMENT', /action/, { action: 9 as WriteAction, ref: 'r' })
test('a ref that is held', refused, 'UNAVAILABLE', /held/, { action: STAT, ref: 'held' })
test(
  'an offset that is not the writer’s',
  refused,
  'OUT_OF_RANGE',
  /@7 .* offset 5/,
  {
    ...{ action: WRITE, ref: 'r', data: hello },
  },
  { action: WRITE, offset: 7n, data: hello },
)
test('a digest that is here, at the first message', refused, 'ALREADY_EXISTS', /sha256/, {
  ...{ action: STAT, ref: 'r', expected: digestOf('there') },
})
test(
  'a digest that is here, at the commit',
  refused,
  'ALREADY_EXISTS',
  /exists/,
  {
    ...{ action: WRITE, ref: 'r', data: hello },
  },
  { action: COMMIT, offset: 5n, expected: digestOf('there') },
)
test('a size that is another', refused, 'FAILED_PRECONDITION', /5 bytes/, {
  ...{ action: COMMIT, ref: 'r', data: hello, total: 6n },
})
test('a digest that is another', refused, 'FAILED_PRECONDITION', /sha256/, {
  ...{ action: COMMIT, ref: 'r', data: hello, expected: digestOf('other') },
})

test('Read: offsets are counted from the request’s; past the end is OUT_OF_RANGE; a negative one is 0', async t => {
  const { content, connection } = await open(t)
  const big = Buffer.alloc(700_000, 'ab')
  await using writer = await content.writer({ ref: 'r' })
  await writer.write(big)
  const digest = await writer.commit()
  const read = (offset: bigint, size: bigint) =>
    all(connection.stream(Content.method.read, { digest, offset, size }, { namespace: 'test' }))
  const part = await read(100n, 600_000n)
  t.is(part[0]?.offset, 0n)
  t.is(part[1]?.offset, BigInt(part[0]?.data.byteLength ?? 0))
  t.true(Buffer.concat(part.map(({ data }) => data)).equals(big.subarray(100, 600_100)))
  t.is(Buffer.concat((await read(-5n, 0n)).map(({ data }) => data)).byteLength, 700_000)
  t.is(Buffer.concat((await read(699_999n, 100n)).map(({ data }) => data)).byteLength, 1)
  t.deepEqual(await read(700_000n, 0n), [])
  await t.throwsAsync(read(700_001n, 0n), { code: 'OUT_OF_RANGE' })
})
