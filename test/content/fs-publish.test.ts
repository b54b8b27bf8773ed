import fs, { type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { FsStore } from '../../src/content/fs-store.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { temporaryDirectory } from '../support/tmp.ts'

/** Has each sync of a directory wait for `before`, until the result is disposed. Of this whole process. */
async function heldSyncs(directory: string, before: () => Promise<void>): Promise<Disposable> {
  const handle = await fs.open(directory, 'r')
  const prototype: FileHandle = Object.getPrototypeOf(handle)
  await handle.close()
  const real = prototype.sync
  prototype.sync = async function (this: FileHandle): Promise<void> {
    if ((await this.stat()).isDirectory()) await before()
    return real.call(this)
  }
  return {
    [Symbol.dispose]: () => {
      prototype.sync = real
    },
  }
}

/** A promise, and what resolves it. */
function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}

/** Resolves when there is such a file. */
const exists = async (file: string): Promise<void> => {
  while ((await fs.stat(file).catch(() => undefined)) === undefined) await setTimeout(1)
}

const bytes = Buffer.from('the bytes')
const digest = digestOf(bytes)

/** A store that has made the directory of its blobs durable. */
const open = async (root: string) => {
  const store = new FsStore(root)
  await store.takeBytes(Buffer.from('other'), digestOf('other'))
  return { store, file: path.join(root, 'blobs', digest.replace(':', '/')) }
}

test.serial('a blob is not told of while its name is not durable', async t => {
  const root = await temporaryDirectory(t)
  const { store, file } = await open(root)
  const released = deferred()
  using _ = await heldSyncs(root, () => released.promise)
  const taking = store.takeBytes(bytes, digest)
  await exists(file)
  let told = false
  const info = store.info(digest).finally(() => {
    told = true
  })
  await setTimeout(50)
  t.false(told)
  released.resolve()
  await taking
  t.is((await info).size, 9)
})

test.serial(
  'who asks for a blob while its name fails to become durable has the directory synced anew',
  async t => {
    const root = await temporaryDirectory(t)
    const { store, file } = await open(root)
    const released = deferred()
    let syncs = 0
    using _ = await heldSyncs(root, async () => {
      if (syncs++ > 0) return
      await released.promise
      throw Object.assign(new Error('EIO: injected'), { code: 'EIO' })
    })
    const taking = store.takeBytes(bytes, digest)
    await exists(file)
    const info = store.info(digest)
    released.resolve()
    await t.throwsAsync(taking, { code: 'DATA_LOSS' })
    t.is((await info).size, 9)
    t.true(syncs > 1)
  },
)
