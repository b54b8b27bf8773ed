import { spawn } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import { openLevel } from '../../src/metadata/level-kv.ts'
import { entries, keysOf, keyValueSuite } from '../suites/key-value.ts'
import { temporaryDirectory } from '../support/tmp.ts'

keyValueSuite(test, 'openLevel()', async t => openLevel(path.join(await temporaryDirectory(t), 'metadata')))

const program = new URL('../support/commit-forever.js', import.meta.url).pathname

test('openLevel() finds what was committed before it was closed', async t => {
  const directory = path.join(await temporaryDirectory(t), 'metadata')
  {
    await using kv = await openLevel(directory)
    await kv.commit([{ type: 'put', key: 'a', value: { b: 1 } }])
  }
  await using kv = await openLevel(directory)
  await using snapshot = kv.snapshot()
  t.deepEqual(await entries(snapshot), [{ key: 'a', value: { b: 1 } }])
})

test('openLevel() makes a directory that only its owner may enter', async t => {
  const directory = path.join(await temporaryDirectory(t), 'metadata')
  await using _ = await openLevel(directory)
  t.is((await fs.stat(directory)).mode & 0o777, 0o700)
})

test('openLevel() after kill -9: all that was acknowledged is there, and each commit whole', async t => {
  const directory = path.join(await temporaryDirectory(t), 'metadata')
  let acknowledged = -1
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [program, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    const exit = once(child, 'exit')
    for await (const line of createInterface(child.stdout)) {
      acknowledged = Math.max(acknowledged, Number(line))
      if (Number(line) === 20 + round) child.kill('SIGKILL')
    }
    await exit
    await using kv = await openLevel(directory)
    await using snapshot = kv.snapshot()
    const first = await keysOf(snapshot, 'first/')
    const second = await keysOf(snapshot, 'second/')
    t.true(first.length > acknowledged, `${first.length} records, ${acknowledged} was acknowledged`)
    t.is(first.length, second.length)
    for (let at = 0; at <= acknowledged; at++) t.is(await snapshot.get(`second/${at}`), at)
  }
})

test('openLevel() while another process holds the database is UNAVAILABLE and names it', async t => {
  const directory = path.join(await temporaryDirectory(t), 'metadata')
  const child = spawn(process.execPath, [program, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  try {
    await once(child.stdout, 'data')
    const error = await t.throwsAsync(openLevel(directory), { code: 'UNAVAILABLE' })
    t.true(error.message.includes(`${directory} is held by another process`), error.message)
    t.truthy(error.cause)
  } finally {
    child.kill('SIGKILL')
    await exit
  }
  await using kv = await openLevel(directory)
  t.truthy(kv)
})

test('openLevel() twice in one process is UNAVAILABLE and says so', async t => {
  const directory = path.join(await temporaryDirectory(t), 'metadata')
  await using _ = await openLevel(directory)
  await t.throwsAsync(openLevel(directory), { code: 'UNAVAILABLE', message: /open in this process already/ })
})

test('openLevel() below a directory that is absent is NOT_FOUND', async t => {
  const directory = path.join(await temporaryDirectory(t), 'absent', 'metadata')
  const error = await t.throwsAsync(openLevel(directory), { code: 'NOT_FOUND' })
  t.true(error.message.includes(directory), error.message)
})

test('openLevel() where a file is, or below one, is FAILED_PRECONDITION', async t => {
  const file = path.join(await temporaryDirectory(t), 'file')
  await fs.writeFile(file, '')
  await t.throwsAsync(openLevel(file), { code: 'FAILED_PRECONDITION', message: /file of that name/ })
  await t.throwsAsync(openLevel(path.join(file, 'metadata')), { code: 'FAILED_PRECONDITION' })
})

const damages = test.macro({
  async exec(t, damage: (directory: string) => Promise<void>) {
    const directory = path.join(await temporaryDirectory(t), 'metadata')
    {
      await using kv = await openLevel(directory)
      await kv.commit([{ type: 'put', key: 'a', value: 1 }])
    }
    await damage(directory)
    const error = await t.throwsAsync(openLevel(directory), { code: 'DATA_LOSS' })
    t.true(error.message.includes(directory), error.message)
    t.truthy(error.cause)
  },
  title: (what = '') => `openLevel() of a database with ${what} is DATA_LOSS`,
})

const current = (directory: string): string => path.join(directory, 'CURRENT')

test('an empty CURRENT file', damages, directory => fs.writeFile(current(directory), ''))
test('a CURRENT file that points nowhere', damages, directory =>
  fs.writeFile(current(directory), 'MANIFEST-999999\n'),
)
test('a manifest of other bytes', damages, async directory => {
  const manifest = (await fs.readFile(current(directory), 'utf8')).trim()
  await fs.writeFile(path.join(directory, manifest), 'x'.repeat(200))
})

test('openLevel() reads a record whose bytes are no JSON as DATA_LOSS with its key', async t => {
  const directory = path.join(await temporaryDirectory(t), 'metadata')
  {
    await using kv = await openLevel(directory)
    await kv.commit([{ type: 'put', key: 'v1/default/image/a', value: { name: 'marker' } }])
  }
  // LevelDB's log has a checksum over each block, so the damage is done through `level` itself.
  const { Level } = await import('level')
  const level = new Level(directory)
  await level.put('v1/default/image/a', '{"name":"mark')
  await level.close()
  await using kv = await openLevel(directory)
  await using snapshot = kv.snapshot()
  await t.throwsAsync(snapshot.get('v1/default/image/a'), {
    code: 'DATA_LOSS',
    message: /v1\/default\/image\/a/,
  })
  await t.throwsAsync(entries(snapshot), { code: 'DATA_LOSS', message: /v1\/default\/image\/a/ })
})

/** Commits some records, changes the journal, opens again; gives what was told meanwhile. */
async function reopened(
  t: ExecutionContext,
  change: (journal: Buffer) => Buffer,
): Promise<readonly unknown[]> {
  const directory = path.join(await temporaryDirectory(t), 'metadata')
  {
    await using kv = await openLevel(directory)
    for (let at = 0; at < 20; at++) await kv.commit([{ type: 'put', key: `k${at}`, value: 'x'.repeat(300) }])
  }
  const name = (await fs.readdir(directory)).find(file => file.endsWith('.log')) ?? ''
  await fs.writeFile(path.join(directory, name), change(await fs.readFile(path.join(directory, name))))
  const told: unknown[] = []
  const listen = (report: unknown): void => {
    if (JSON.stringify(report).includes(directory)) told.push(report)
  }
  subscribe('orlop:metadata', listen)
  t.teardown(() => unsubscribe('orlop:metadata', listen))
  await using kv = await openLevel(directory)
  await using snapshot = kv.snapshot()
  t.is(await snapshot.get('k0'), 'x'.repeat(300))
  return told
}

test('openLevel() tells on its channel when a part of the journal is damaged', async t => {
  const told = await reopened(t, journal => {
    const damaged = Buffer.from(journal)
    damaged[3000] = 0
    return damaged
  })
  t.is(told.length, 1)
  t.regex(JSON.stringify(told), /left out \d+ bytes of its journal/)
})

test('openLevel() tells nothing when the last commit was cut off, as a crash does', async t => {
  t.deepEqual(await reopened(t, journal => journal.subarray(0, journal.length - 100)), [])
  t.deepEqual(await reopened(t, journal => journal), [])
})
