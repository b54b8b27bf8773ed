import { EventEmitter } from 'node:events'
import fs from 'node:fs/promises'
import path from 'node:path'
import type { MessageInitShape } from '@bufbuild/protobuf'
import test, { type ExecutionContext } from 'ava'
import type { Verbs as StoreVerbs } from '../../../src/runtime/verbs.ts'
import { Connection } from '../../../src/service/client/connection.ts'
import {
  type RunRequestSchema,
  type RunResponse,
  Verbs,
} from '../../../src/service/gen/orlop/verbs/v1/verbs_pb.ts'
import { damagedStore } from '../../support/damaged-store.ts'
import { openRemote } from '../../support/remote.ts'
import { temporaryDirectory } from '../../support/tmp.ts'
import { serveVerbs } from '../../support/verbs.ts'

type Message = MessageInitShape<typeof RunRequestSchema>

const start = (verb: string, args: string): Message => ({
  message: { case: 'start', value: { verb, arguments: Buffer.from(args) } },
})
const answerData = (bytes: number): Message => ({
  message: { case: 'answer', value: { answer: { case: 'data', value: new Uint8Array(bytes) } } },
})
const answerJson = (text: string): Message => ({
  message: { case: 'answer', value: { answer: { case: 'json', value: Buffer.from(text) } } },
})
const answerFailure: Message = {
  message: {
    case: 'answer',
    value: { answer: { case: 'failure', value: { code: 'NOTHING', message: 'x' } } },
  },
}
const answerNothing: Message = { message: { case: 'answer', value: {} } }

const newRoot = async (t: ExecutionContext): Promise<string> => path.join(await temporaryDirectory(t), 'root')

/** Sends messages, ends, and gives all that comes. */
async function say(
  t: ExecutionContext,
  address: string,
  ...messages: readonly Message[]
): Promise<RunResponse[]> {
  using connection = new Connection(address)
  const call = connection.duplex(Verbs.method.run, {})
  for (const message of messages) call.send(message)
  call.end()
  const heard: RunResponse[] = []
  for await (const one of call.messages) heard.push(one)
  t.pass()
  return heard
}

test('a call of no verb, an unknown one, or with arguments that are none is refused', async t => {
  const { address } = await serveVerbs(t, await newRoot(t))
  const refused: ReadonlyArray<readonly [Message | undefined, string, RegExp]> = [
    [undefined, 'INVALID_ARGUMENT', /the first message must start a verb/],
    [answerNothing, 'INVALID_ARGUMENT', /the first message must start a verb/],
    [start('nothing', '{}'), 'UNIMPLEMENTED', /there is no "nothing" here/],
    [start('__proto__', '{}'), 'UNIMPLEMENTED', /there is no/],
    [start('constructor', '{}'), 'UNIMPLEMENTED', /there is no/],
    [start('x'.repeat(1e6), '{}'), 'UNIMPLEMENTED', /there is no "x{80}" here/],
    [start('plan', ''), 'INVALID_ARGUMENT', /verb plan: not JSON/],
    [start('plan', '{"a":1,"a":2}'), 'INVALID_ARGUMENT', /appears twice/],
    [start('plan', '[]'), 'INVALID_ARGUMENT', /arguments: expected an object/],
    [start('plan', '['.repeat(5000) + ']'.repeat(5000)), 'INVALID_ARGUMENT', /nested deeper/],
    [start('measure', '{}'), 'INVALID_ARGUMENT', /arguments\.namespace: expected a string/],
    [start('measureSet', '{"namespace":"a","names":[1]}'), 'INVALID_ARGUMENT', /names\[0\]/],
    [start('why', '{"node":{"kind":"content"}}'), 'INVALID_ARGUMENT', /node\.namespace/],
    [
      start('why', '{"node":{"kind":"content","namespace":"a","key":"b"},"limit":-1}'),
      'INVALID_ARGUMENT',
      /limit/,
    ],
    [start('prune', '{"namespace":"a","rules":{"all":"yes"}}'), 'INVALID_ARGUMENT', /rules\.all/],
    [start('prune', '{"namespace":"a","rules":{"minFree":{}}}'), 'INVALID_ARGUMENT', /minFree\.bytes/],
    [start('prune', '{"namespace":"a","rules":{}}'), 'INVALID_ARGUMENT', /no rule was given/],
    [start('repair', '{}'), 'INVALID_ARGUMENT', /arguments\.lends/],
    [start('repair', '{"lends":true,"from":"///"}'), 'INVALID_ARGUMENT', /reference/],
  ]
  for (const [message, code, text] of refused) {
    await t.throwsAsync(say(t, address, ...(message ? [message] : [])), { code, message: text })
  }
  t.is((await say(t, address, start('plan', '{"more":1}'))).length, 1)
})

test('what is no store with files has no verbs', async t => {
  const { store, address } = await openRemote(t)
  t.truthy(store)
  await t.throwsAsync(say(t, address, start('plan', '{}')), {
    code: 'UNIMPLEMENTED',
    message: /no store with files/,
  })
})

test('a client that goes stops its verb, and another one runs next', async t => {
  const begun = new EventEmitter()
  const wrap = (verbs: StoreVerbs): StoreVerbs => ({
    ...verbs,
    check: async ({ signal } = {}) => {
      begun.emit('check', signal)
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    },
  })
  const { address, store } = await serveVerbs(t, await newRoot(t), wrap)
  const connection = new Connection(address)
  const call = connection.duplex(Verbs.method.run, {})
  const begins = new Promise<AbortSignal>(resolve => begun.once('check', resolve))
  call.send(start('check', '{}'))
  const signal = await begins
  t.is((await store.verbs.plan()).items.length, 0, 'other verbs run beside it')
  t.false(signal.aborted)
  const gone = new Promise(resolve => signal.addEventListener('abort', resolve))
  connection[Symbol.dispose]()
  await gone
  await t.throwsAsync(call.messages.next())
})

test('of one verb one runs at a time', async t => {
  let running = 0
  let most = 0
  const wrap = (verbs: StoreVerbs): StoreVerbs => ({
    ...verbs,
    plan: async options => {
      most = Math.max(most, ++running)
      const plan = await verbs.plan(options)
      running--
      return plan
    },
  })
  const { store } = await serveVerbs(t, await newRoot(t), wrap)
  await Promise.all(Array.from({ length: 20 }, () => store.verbs.plan()))
  t.is(most, 1)
})

test('a result that is none is an error that says so, and errors of strangers keep their texts for themselves', async t => {
  const wrap = (verbs: StoreVerbs): StoreVerbs => ({
    ...verbs,
    plan: async () => ({ items: [], bytes: -1 }),
    measure: async () => {
      throw new Error('the password is secret')
    },
  })
  const { store } = await serveVerbs(t, await newRoot(t), wrap)
  await t.throwsAsync(store.verbs.plan(), {
    code: 'INTERNAL',
    message: /verb plan\.bytes: expected a whole number.*another version of orlop$/,
  })
  await t.throwsAsync(store.verbs.measure('a'), { code: 'UNKNOWN', message: 'unknown error' })
})

test('a client that is asked for bytes and does not answer, or answers nonsense, gets no repair', async t => {
  const damaged = await damagedStore(t)
  await fs.rm(damaged.file(damaged.config))
  const { address, local } = await serveVerbs(t, damaged.root)
  const lends = start('repair', '{"lends":true}')
  const nonsense: ReadonlyArray<readonly Message[]> = [
    [],
    [lends],
    [answerNothing],
    [answerJson('{"digest":1}')],
    [answerFailure],
    Array.from({ length: 20 }, () => answerData(100_000)),
  ]
  for (const answers of nonsense) {
    const heard = await say(t, address, lends, ...answers)
    const result = heard.flatMap(({ message }) => (message.case === 'result' ? [message.value] : []))
    const { repaired } = JSON.parse(Buffer.concat(result).toString())
    t.is(repaired[0].outcome, 'failed')
  }
  t.is((await local.check()).findings.length, 1)
})
