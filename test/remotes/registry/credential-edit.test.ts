import { writeFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { editCredentialFile } from '../../../src/remotes/registry/credential-edit.ts'
import { run } from '../../support/run.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

const newFile = async (t: ExecutionContext): Promise<string> =>
  path.join(await temporaryDirectory(t), 'a.json')
const read = async (file: string): Promise<unknown> => JSON.parse(await fs.readFile(file, 'utf8'))

test('editCredentialFile() is made again on the change of somebody who knows no lock', async t => {
  const file = await newFile(t)
  await fs.writeFile(file, '{"a":1}')
  let calls = 0
  const edited = await editCredentialFile(file, document => {
    if (calls++ === 0) writeFileSync(file, '{"a":1,"theirs":2}')
    return { ...document, ours: 3 }
  })
  t.true(edited)
  t.is(calls, 2)
  t.deepEqual(await read(file), { a: 1, theirs: 2, ours: 3 })
})

test('editCredentialFile() sees that somebody made the file', async t => {
  const made = await newFile(t)
  let calls = 0
  await editCredentialFile(made, document => {
    if (calls++ === 0) writeFileSync(made, '{"theirs":2}')
    return { ...document, ours: 3 }
  })
  t.deepEqual(await read(made), { theirs: 2, ours: 3 })
})

test('editCredentialFile() writes nothing when there is nothing to change, or the edit fails', async t => {
  const file = await newFile(t)
  t.false(await editCredentialFile(file, () => undefined))
  const failure = new Error('no')
  const failed = editCredentialFile(file, () => {
    throw failure
  })
  t.is(await t.throwsAsync(failed), failure)
  t.deepEqual(await fs.readdir(path.dirname(file)), [])
})

test('editCredentialFile() stops for a signal before it writes, and lets go of the lock', async t => {
  const file = await newFile(t)
  const stop = new AbortController()
  const reason = new Error('enough')
  const edited = editCredentialFile(
    file,
    document => {
      stop.abort(reason)
      return { ...document, a: 1 }
    },
    { signal: stop.signal },
  )
  t.is(await t.throwsAsync(edited), reason)
  t.deepEqual(await fs.readdir(path.dirname(file)), [])
})

test('editCredentialFile() waits for a lock, and says who holds it when that takes too long', async t => {
  const file = await newFile(t)
  await fs.writeFile(`${file}.lock`, `${process.pid} ${os.hostname()} x\n`)
  const edit = (options: object) => editCredentialFile(file, () => ({ a: 1 }), options)
  await t.throwsAsync(edit({ lockTimeoutMs: 1 }), {
    code: 'UNAVAILABLE',
    message: `${file}.lock: held by process ${process.pid}; remove the file if that is gone`,
  })
  const stop = new AbortController()
  const waiting = edit({ signal: stop.signal })
  const reason = new Error('enough')
  stop.abort(reason)
  t.is(await t.throwsAsync(waiting), reason)
  const later = edit({})
  await fs.rm(`${file}.lock`)
  t.true(await later)
})

const stale = test.macro<[string, (lock: string) => Promise<void>]>({
  exec: async (t, _what, make) => {
    const file = await newFile(t)
    await make(`${file}.lock`)
    const keys = ['a', 'b', 'c', 'd']
    await Promise.all(
      keys.map(key =>
        editCredentialFile(file, document => ({ ...document, [key]: 1 }), { lockTimeoutMs: 5000 }),
      ),
    )
    t.deepEqual(Object.keys((await read(file)) as object).toSorted(), keys)
    t.deepEqual(await fs.readdir(path.dirname(file)), ['a.json'])
  },
  title: (_, what) => `editCredentialFile() removes a lock ${what}, and loses no edit by that`,
})

test(stale, 'of a process that is gone', async lock => {
  const { stdout } = await run(process.execPath, ['-p', 'process.pid'])
  await fs.writeFile(lock, `${stdout.trim()} ${os.hostname()} x\n`)
})

test(stale, 'of another machine that is old', async lock => {
  await fs.writeFile(lock, '1 elsewhere x\n')
  await fs.utimes(lock, new Date(0), new Date(0))
})

test(stale, 'that says nothing and is old', async lock => {
  await fs.writeFile(lock, '')
  await fs.utimes(lock, new Date(0), new Date(0))
})
