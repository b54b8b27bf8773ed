import fs from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { run } from '../support/run.ts'
import { corruptDigests, storedDigests } from '../support/store-files.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const demo = fileURLToPath(new URL('../../examples/demo/main.js', import.meta.url))

test('npm run demo does the main job without a network, and shows every command', async t => {
  t.timeout(180_000)
  const directory = await temporaryDirectory(t)
  const root = path.join(directory, 'root')
  const env = { TMPDIR: directory, DOCKER_CONFIG: directory }
  const { code, stdout, stderr } = await run(process.execPath, [demo, '--root', root], {
    env,
    deadline: 170_000,
  })
  t.is(code, 0, stdout + stderr)
  for (const verb of ['pull', 'list', 'check', 'size', 'platforms', 'tag', 'delete']) {
    t.regex(stdout, new RegExp(`^\\$ orlop images ${verb}`, 'm'))
  }
  t.true((await storedDigests(root)).length > 10)
  t.deepEqual(await corruptDigests(root), [])
  t.deepEqual(await fs.readdir(directory), ['root'], 'nothing is left behind')
})

test('npm run demo collects in a store of its own, and leaves nothing behind', async t => {
  t.timeout(180_000)
  const directory = await temporaryDirectory(t)
  const env = { TMPDIR: directory, DOCKER_CONFIG: directory }
  const { code, stdout, stderr } = await run(process.execPath, [demo], { env, deadline: 170_000 })
  t.is(code, 0, stdout + stderr)
  t.regex(stdout, /^\$ orlop gc run$/m)
  t.deepEqual(await fs.readdir(directory), [])
})

test('npm run demo fails when a step does', async t => {
  const directory = await temporaryDirectory(t)
  const args = [demo, '--root', path.join(directory, 'root'), '127.0.0.1:1/nobody/listens:1']
  const { code, stdout } = await run(process.execPath, args, { env: { TMPDIR: directory } })
  t.is(code, 1)
  t.regex(stdout, /The demo failed: exit code 7/)
})
