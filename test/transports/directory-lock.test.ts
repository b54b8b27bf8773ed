import { spawnSync } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import test from 'ava'
import { lockDirectory, lockName } from '../../src/transports/directory-lock.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const times = { beat: 5, gone: 40, look: 5 }

test('one has the lock at a time, and the next gets it when it is let go', async t => {
  const directory = await temporaryDirectory(t)
  let holders = 0
  let most = 0
  const turn = async () => {
    await using _ = await lockDirectory(directory, { times })
    most = Math.max(most, ++holders)
    await new Promise(setImmediate)
    holders--
  }
  await Promise.all(Array.from({ length: 8 }, turn))
  t.is(most, 1)
  t.deepEqual(await fs.readdir(directory), [])
})

test('who waits is told once who has it, and stops when it is told to', async t => {
  const directory = await temporaryDirectory(t)
  await using _ = await lockDirectory(directory, { times })
  const told: string[] = []
  const stop = new AbortController()
  const waiting = lockDirectory(directory, {
    times,
    signal: stop.signal,
    onWait: holder => {
      told.push(holder)
      stop.abort(new Error('enough'))
    },
  })
  await t.throwsAsync(waiting, { message: 'enough' })
  t.deepEqual(told, [`process ${process.pid}`])
  t.deepEqual(await fs.readdir(directory), [lockName])
})

test('the lock of a process that is dead is broken', async t => {
  const directory = await temporaryDirectory(t)
  const mine = JSON.parse(await textWhileHeld(directory))
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  await fs.writeFile(path.join(directory, lockName), JSON.stringify({ ...mine, id: 'x', pid, started: '1' }))
  await using _ = await lockDirectory(directory, { times })
  t.not(JSON.parse(await fs.readFile(path.join(directory, lockName), 'utf8')).id, 'x')
})

test('the lock of another process that has the same number now is broken', async t => {
  const directory = await temporaryDirectory(t)
  const mine = JSON.parse(await textWhileHeld(directory))
  // Where a system does not tell when a process began, the number alone counts.
  const pid = mine.started === '' ? spawnSync(process.execPath, ['-e', '']).pid : mine.pid
  await fs.writeFile(path.join(directory, lockName), JSON.stringify({ ...mine, id: 'x', pid, started: '1' }))
  await using _ = await lockDirectory(directory, { times })
  t.pass()
})

test('a lock of another machine is broken when it is not touched any more, and not before', async t => {
  const directory = await temporaryDirectory(t)
  const file = path.join(directory, lockName)
  await fs.writeFile(file, JSON.stringify({ id: 'x', host: 'elsewhere', pid: 1, started: '' }))
  let told = ''
  await using _ = await lockDirectory(directory, {
    times,
    onWait: holder => {
      told = holder
    },
  })
  t.is(told, 'process 1 on another machine or in another container')
})

test('what is no lock of ours is broken as one of another machine', async t => {
  const directory = await temporaryDirectory(t)
  await fs.writeFile(path.join(directory, lockName), '')
  await using _ = await lockDirectory(directory, { times })
  t.pass()
})

test('a directory that is not there cannot be locked', async t => {
  const directory = path.join(await temporaryDirectory(t), 'none')
  await t.throwsAsync(lockDirectory(directory, { times }), { code: 'NOT_FOUND' })
})

async function textWhileHeld(directory: string): Promise<string> {
  await using _ = await lockDirectory(directory, { times })
  return fs.readFile(path.join(directory, lockName), 'utf8')
}
