import fs, { type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { FsAppender } from '../../src/content/fs-append.ts'
import { Digester, digestOf } from '../../src/oci/digest.ts'
import { randomBytes } from '../support/bytes.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const mebibyte = 1024 * 1024
const eio = (): Error => Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })

/** A file whose syncs are counted, and fail when they are told to. */
async function openFile(t: ExecutionContext) {
  const name = path.join(await temporaryDirectory(t), 'data')
  const real = await fs.open(name, 'w+')
  t.teardown(() => real.close())
  const syncs = { data: 0, failData: false, failSync: false }
  const file: FileHandle = new Proxy(real, {
    get(target, key) {
      if (key === 'datasync')
        return async () => {
          syncs.data++
          if (syncs.failData) throw eio()
          await target.datasync()
        }
      if (key === 'sync' && syncs.failSync) return async () => Promise.reject(eio())
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { name, file, syncs, appender: new FsAppender(file, 'ingest x', new Digester(), 0) }
}

test('what is written is sent to the disk while more is written', async t => {
  const { name, appender, syncs } = await openFile(t)
  const chunk = randomBytes('chunk', mebibyte)
  for (let at = 0; at < 40; at++) await appender.append(chunk)
  await appender.flush()
  t.true(syncs.data > 0)
  const bytes = await fs.readFile(name)
  t.is(bytes.byteLength, 40 * mebibyte)
  t.is(appender.digester.digest(), digestOf(bytes))
})

test('a small file is not', async t => {
  const { appender, syncs } = await openFile(t)
  await appender.append(randomBytes('chunk', mebibyte))
  await appender.flush()
  t.is(syncs.data, 0)
})

test('after a sync in between that failed nothing is kept, and the bytes can be taken anew', async t => {
  const { name, appender, syncs } = await openFile(t)
  syncs.failData = true
  const chunk = randomBytes('chunk', mebibyte)
  for (let at = 0; at < 40; at++) await appender.append(chunk)
  await t.throwsAsync(appender.flush(), { code: 'DATA_LOSS', message: /^ingest x: input/ })
  t.is((await fs.stat(name)).size, 0)
  t.is(appender.offset, 0)
  syncs.failData = false
  await appender.append(chunk)
  await appender.flush()
  t.is(appender.digester.digest(), digestOf(chunk))
  t.deepEqual(await fs.readFile(name), Buffer.from(chunk))
})

test('after a last sync that failed nothing is kept', async t => {
  const { name, appender, syncs } = await openFile(t)
  await appender.append(randomBytes('chunk', 1000))
  await appender.flush()
  syncs.failSync = true
  await t.throwsAsync(appender.sync(), { code: 'DATA_LOSS', message: /^ingest x: input/ })
  t.is((await fs.stat(name)).size, 0)
  t.is(appender.digester.digest(), digestOf(''))
})
