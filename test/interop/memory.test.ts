import fs from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { peakMemory } from '../support/peak-memory.ts'
import { orlop, start } from '../support/run.ts'
import { storedDigests } from '../support/store-files.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const GiB = 1024 ** 3
const MiB = 1024 ** 2

test.serial('pull of a blob of 2 GiB stays within 200 MiB of memory', async t => {
  t.timeout(600_000)
  const directory = await temporaryDirectory(t)
  const { bavail, bsize } = await fs.statfs(directory)
  if (bavail * bsize < 3 * GiB) {
    t.log('skipped: less than 3 GiB of disk are free')
    t.pass()
    return
  }
  const registry = start(process.execPath, [bigBlobRegistry, String(2 * GiB)], { deadline: 600_000 })
  t.teardown(async () => {
    registry.child.kill('SIGKILL')
    await registry.outcome
  })
  const host = await new Promise<string>(resolve => {
    registry.child.stdout?.once('data', (line: Buffer) => resolve(line.toString().trim()))
  })
  const root = path.join(directory, 'root')
  const peak = await peakMemory(t)
  const { env } = peak
  const pull = await orlop(['--root', root, 'images', 'pull', '--all-platforms', `${host}/big:1`], {
    env,
    deadline: 600_000,
  })
  t.is(pull.code, 0, pull.stderr)
  t.is((await storedDigests(root)).length, 3)
  const bytes = await peak.bytes()
  t.log(`${Math.round(bytes / MiB)} MiB at most`)
  t.true(bytes > 10 * MiB && bytes < 200 * MiB, `${Math.round(bytes / MiB)} MiB at most`)
})

const bigBlobRegistry = fileURLToPath(new URL('../support/big-blob-registry.js', import.meta.url))
