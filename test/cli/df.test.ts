import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Runtime } from '../../src/runtime/runtime.ts'
import { bytesByDu } from '../support/du.ts'
import { config, layer, manifest } from '../support/image.ts'
import { putImage } from '../support/put-image.ts'
import { orlop } from '../support/run.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const base = layer('b'.repeat(1000))
const one = manifest(config({ author: 'one' }), base)
const two = manifest(config({ author: 'two' }), base)
const own = one.bytes.byteLength + (one.below[0]?.bytes.byteLength ?? 0)

async function twoImages(t: ExecutionContext): Promise<string> {
  const root = await temporaryDirectory(t)
  await using runtime = await Runtime.open({ root })
  await putImage(runtime.scope(), 'docker.io/library/one:latest', one)
  await putImage(runtime.scope(), 'docker.io/library/two:latest', two)
  return root
}

test('orlop df --bytes prints a table whose UNIQUE column adds up to its TOTAL', async t => {
  const root = await twoImages(t)
  const { code, stdout, stderr } = await orlop(['--root', root, 'df', '--bytes'])
  t.is(code, 0, stderr)
  const lines = stdout.trimEnd().split('\n')
  t.regex(lines[0] ?? '', /^NAME +LOGICAL SHARED UNIQUE +FREED$/)
  t.regex(lines[1] ?? '', new RegExp(`^docker.io/library/one:latest +${own + 1000} +1000 +${own} +${own}$`))
  const cells = lines.slice(1, -1).map(line => line.split(/ {2,}| (?=\d)/).filter(Boolean))
  const numbers = cells.map(row => Number(row.at(-2)))
  t.is(cells.at(-1)?.[0], 'TOTAL')
  t.is(
    numbers.slice(0, -1).reduce((sum, number) => sum + number, 0),
    numbers.at(-1) ?? 0,
  )
  const content = await bytesByDu(path.join(root, 'content'))
  t.true(lines.at(-1)?.startsWith(`content: ${content} in files, `))
})

test('orlop df --json prints all numbers, and --quiet the total', async t => {
  const root = await twoImages(t)
  const json = JSON.parse((await orlop(['--root', root, '--json', 'df'])).stdout)
  t.is(json.content.bytes, await bytesByDu(path.join(root, 'content')))
  t.is(json.images.length, 2)
  t.is(json.parts.shared.bytes, 1000)
  t.is(json.together.freed, json.content.bytes)
  const quiet = await orlop(['--root', root, '--quiet', 'df'])
  t.regex(quiet.stdout, /^\d+\n$/)
  t.true(Number(quiet.stdout) >= json.content.bytes)
})

test('orlop df of images prints what they take, and would free, together', async t => {
  const root = await twoImages(t)
  const both = await orlop(['--root', root, '--quiet', 'df', 'one', 'two'])
  t.is(both.stdout, `${2 * own + 1000}\n`)
  const json = JSON.parse((await orlop(['--root', root, '--json', 'df', 'one'])).stdout)
  t.deepEqual(json, {
    images: ['docker.io/library/one:latest'],
    logical: own + 1000,
    unique: own,
    shared: 1000,
    freed: own,
  })
  const table = await orlop(['--root', root, 'df', 'one', 'two', 'docker.io/library/one:latest'])
  t.regex(table.stdout, /^NAME +LOGICAL .*\n2 together +/)
})

test('orlop df of an image that is not there exits with 3', async t => {
  const { code, stderr } = await orlop(['--root', await twoImages(t), 'df', 'three'])
  t.is(code, 3)
  t.regex(stderr, /image three: not found/)
})

test('orlop df of an empty store prints its total', async t => {
  const { code, stdout } = await orlop(['--root', await temporaryDirectory(t), 'df'])
  t.is(code, 0)
  t.regex(stdout, /TOTAL/)
  t.regex(stdout, /content: 0\.0 B in files/)
})
