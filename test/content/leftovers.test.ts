import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import { FsStore } from '../../src/content/fs-store.ts'
import { leavesLeftovers } from '../../src/content/leftovers.ts'
import { MemoryStore } from '../../src/content/memory-store.ts'
import { temporaryDirectory } from '../support/tmp.ts'

test('removeLeftovers() removes what a crash leaves of a write, and no ingest', async t => {
  const root = await temporaryDirectory(t)
  const store = new FsStore(root)
  for (const ref of ['whole', 'no ref', 'no data', 'other ref', 'no start']) {
    await using writer = await store.writer({ ref })
    await writer.write(Buffer.from('half'))
  }
  const ingests = path.join(root, 'ingest')
  for (const name of await fs.readdir(ingests)) {
    const dir = path.join(ingests, name)
    const ref = await fs.readFile(path.join(dir, 'ref'), 'utf8')
    if (ref === 'no ref') await fs.rm(path.join(dir, 'ref'))
    if (ref === 'no data') await fs.rm(path.join(dir, 'data'))
    if (ref === 'other ref') await fs.writeFile(path.join(dir, 'ref'), 'another')
    if (ref === 'no start') await fs.rm(path.join(dir, 'startedat'))
  }
  await fs.mkdir(path.join(ingests, 'empty'))
  await fs.writeFile(path.join(ingests, 'file'), 'not ours')
  t.is(await store.removeLeftovers(), 5)
  t.is((await fs.readdir(ingests)).length, 2)
  t.is((await store.status('whole')).offset, 4)
  t.is(await store.removeLeftovers(), 0)
})

test('removeLeftovers() leaves what a writer of this process is about to make', async t => {
  const root = await temporaryDirectory(t)
  const store = new FsStore(root)
  const opened: Array<Promise<unknown>> = []
  let stop = false
  const sweeping = (async () => {
    while (!stop) await store.removeLeftovers()
  })()
  for (let at = 0; at < 50; at++) {
    const write = async () => {
      await using writer = await store.writer({ ref: `ref ${at}` })
      await writer.write(Buffer.from(`bytes ${at}`))
      if (at % 2 === 0) await writer.commit()
    }
    opened.push(write())
  }
  const results = await Promise.allSettled(opened)
  stop = true
  await sweeping
  t.deepEqual(
    results.filter(({ status }) => status === 'rejected'),
    [],
  )
  for (let at = 1; at < 50; at += 2) t.is((await store.status(`ref ${at}`)).offset, `bytes ${at}`.length)
})

test('removeLeftovers() gives the reason of its signal', async t => {
  const root = await temporaryDirectory(t)
  await fs.mkdir(path.join(root, 'ingest', 'empty'), { recursive: true })
  const reason = new Error('enough')
  const error = await t.throwsAsync(new FsStore(root).removeLeftovers({ signal: AbortSignal.abort(reason) }))
  t.is(error, reason)
})

test('leavesLeftovers() is true for stores that can leave any', async t => {
  t.true(leavesLeftovers(new FsStore(await temporaryDirectory(t))))
  t.false(leavesLeftovers(new MemoryStore()))
})
