import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { Command } from 'commander'
import type { Context, GlobalOptions } from '../../src/cli/context.ts'
import { registerEvents } from '../../src/cli/events.ts'
import { createOutput } from '../../src/cli/output.ts'
import { localVerbs } from '../../src/runtime/local-verbs.ts'
import { Runtime } from '../../src/runtime/runtime.ts'
import { orlop, startOrlop } from '../support/run.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const at = new Date('2026-01-02T03:04:05.678Z')

/** `orlop events` within this process, over a store that the test changes. */
async function follow(t: ExecutionContext, filters: readonly string[], options: GlobalOptions = {}) {
  const runtime = await Runtime.open({ root: await temporaryDirectory(t), now: () => at })
  t.teardown(() => runtime.close())
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const control = new AbortController()
  const context: Context = {
    out: createOutput(stdout, stderr),
    signal: control.signal,
    options,
    verbs: async () => localVerbs(runtime),
    store: async () => runtime,
    scope: async () => runtime.scope(),
    collect: async () => undefined,
    fail: () => undefined,
  }
  const command = new Command('events').exitOverride()
  registerEvents(command, context)
  const done = command.parseAsync([...filters], { from: 'user' })
  done.catch(() => undefined)
  return { runtime, stdout, stderr, control, done }
}

test('orlop events prints time, namespace, topic and the event, a line each', async t => {
  const { runtime, stdout, control, done } = await follow(t, ['topic~="^/namespaces/"'], { quiet: true })
  await runtime.namespaces.create('b', { k: '\u202e' })
  await once(stdout, 'readable')
  control.abort(new Error('enough'))
  await t.throwsAsync(done, { message: 'enough' })
  t.is(
    String(stdout.read()),
    '2026-01-02T03:04:05.678Z b /namespaces/create {"name":"b","labels":{"k":"\\u202e"}}\n',
  )
})

test('orlop events --json prints a document a line, of those that a filter matches', async t => {
  const { runtime, stdout, stderr, control, done } = await follow(t, ['namespace==a', 'event.name==c'], {
    json: true,
  })
  for (const name of ['a', 'b', 'c']) await runtime.namespaces.create(name)
  await once(stdout, 'readable')
  control.abort(new Error('enough'))
  await t.throwsAsync(done, { message: 'enough' })
  const lines = String(stdout.read()).trim().split('\n')
  t.deepEqual(
    lines.map(line => JSON.parse(line)),
    ['a', 'c'].map(name => ({
      timestamp: at.toISOString(),
      namespace: name,
      topic: '/namespaces/create',
      event: { name, labels: {} },
    })),
  )
  t.regex(String(stderr.read()), /^orlop: listening to the store /)
})

test('orlop events ends with RESOURCE_EXHAUSTED when nobody reads what it prints', async t => {
  const { runtime, stdout, done } = await follow(t, [], { quiet: true })
  const change = { labels: { long: 'x'.repeat(2000) } }
  await Promise.all(Array.from({ length: 10_050 }, () => runtime.namespaces.update('a', change)))
  stdout.resume()
  await t.throwsAsync(done, { code: 'RESOURCE_EXHAUSTED', message: /subscribe again/ })
})

test('orlop events refuses a filter that cannot be read with exit code 2', async t => {
  const root = await temporaryDirectory(t)
  const { code, stderr, stdout } = await orlop(['--root', root, 'events', 'topic='])
  t.is(code, 2)
  t.regex(stderr, /^orlop: filters: parse error/)
  t.is(stdout, '')
})

test('orlop events waits until it is interrupted and exits with 130, without an error', async t => {
  const root = await temporaryDirectory(t)
  const { child, outcome } = startOrlop(['--root', root, 'events'])
  if (child.stderr === null) return t.fail('no stderr')
  await once(child.stderr, 'data')
  child.kill('SIGINT')
  const { code, stderr, stdout } = await outcome
  t.is(code, 130)
  t.is(stdout, '')
  t.regex(stderr, /^orlop: listening to the store .*\norlop: interrupted by SIGINT\n$/)
})

test('orlop events --help says what it does not see', async t => {
  const { code, stdout } = await orlop(['events', '--help'])
  t.is(code, 0)
  t.regex(stdout, /but for what happens between the end of the one that owns/)
})
