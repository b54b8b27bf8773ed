import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import { giveReserve, reserveSize, takeReserve } from '../../src/runtime/reserve.ts'

import { smallFileSystem } from '../support/mounts.ts'
import { startRegistry } from '../support/registry.ts'
import { orlop } from '../support/run.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const MiB = 1024 * 1024

test('takeReserve() holds space back once, and giveReserve() gives it back once', async t => {
  const file = path.join(await temporaryDirectory(t), 'reserve')
  await takeReserve(file)
  const { size, ino, mode } = await fs.stat(file)
  t.is(size, reserveSize)
  t.is(mode & 0o777, 0o600)
  await takeReserve(file)
  t.is((await fs.stat(file)).ino, ino)
  t.true(await giveReserve(file))
  t.false(await giveReserve(file))
})

test('takeReserve() leaves most of a small disk to the work, and nothing of a tiny one', async t => {
  const [small, tiny] = [await smallFileSystem(t, 2 * reserveSize), await smallFileSystem(t, 128 * 1024)]
  if (small === undefined || tiny === undefined) {
    t.log('skipped: a small file system cannot be mounted here')
    t.pass()
    return
  }
  await takeReserve(path.join(small, 'reserve'))
  const { size } = await fs.stat(path.join(small, 'reserve'))
  t.true(size > 0 && size <= (2 * reserveSize) / 8, `${size} bytes`)
  await takeReserve(path.join(tiny, 'reserve'))
  t.deepEqual(await fs.readdir(tiny), [])
})

const fullDisk = test.macro<[number]>({
  async exec(t, size) {
    const directory = await smallFileSystem(t, size * MiB)
    if (directory === undefined) {
      t.log('skipped: a small file system cannot be mounted here')
      t.pass()
      return
    }
    const registry = await startRegistry(t)
    const root = path.join(directory, 'root')
    registry.image('large/image', 'v1', randomBytes((size + 8) * MiB))
    const reference = `${registry.host}/large/image:v1`
    const pull = await orlop(['--root', root, '-q', 'images', 'pull', '--all-platforms', reference])
    t.is(pull.code, 8, pull.stderr)
    // Whatever is left is taken too, so that there is really nothing.
    await fs.writeFile(path.join(directory, 'rest'), Buffer.alloc(32 * MiB)).catch(() => undefined)
    const active = await orlop(['--root', root, '-q', 'content', 'active'])
    t.is(active.code, 0, active.stderr)
    const refs = active.stdout.trim().split('\n').filter(Boolean)
    t.true(refs.length > 0)
    for (const ref of refs) {
      const abort = await orlop(['--root', root, 'content', 'abort', ref])
      t.is(abort.code, 0, abort.stderr)
    }
    const list = await orlop(['--root', root, 'images', 'list', '-q'])
    t.is(list.code, 0, list.stderr)
  },
  title: (_, size) =>
    `a disk of ${size} MiB without a free byte does not lock the store: what fills it can be thrown away`,
})

test(fullDisk, 5)
test(fullDisk, 32)
