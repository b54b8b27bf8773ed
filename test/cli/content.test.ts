import fs from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import test from 'ava'
import { digestOf } from '../../src/oci/digest.ts'
import { randomBytes } from '../support/bytes.ts'
import { cells, cliOn, linesOf } from '../support/cli.ts'
import { orlopProgram, run as runProgram } from '../support/run.ts'
import { blobFile } from '../support/store.ts'
import { storedIngests } from '../support/store-files.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const hello = digestOf('hello')
const absent = digestOf('absent')

test('orlop content ingest takes stdin and files, and prints the digest', async t => {
  const run = await cliOn(t)
  t.like(await run('content ingest a', { input: 'hello' }), { code: 0, stdout: `${hello}\n`, stderr: '' })
  const file = path.join(await temporaryDirectory(t), 'file')
  await fs.writeFile(file, 'world')
  t.is((await run(['content', 'ingest', 'b', file])).stdout, `${digestOf('world')}\n`)
  t.is((await run('content ingest c -', { input: '' })).stdout, `${digestOf('')}\n`)
  t.is((await run('content ingest d -q', { input: 'quiet' })).stdout, '')
  t.deepEqual(JSON.parse((await run('content ingest e --json --label k=v', { input: 'json' })).stdout), {
    digest: digestOf('json'),
  })
  t.is((await run(`content label ${digestOf('json')}`)).stdout, 'k=v\n')
})

test('orlop content ingest takes a large file, and one that is redirected from where it stands', async t => {
  const { root } = await cliOn(t)
  const file = path.join(await temporaryDirectory(t), 'file')
  const bytes = randomBytes('file', 3 * 1024 * 1024 + 17)
  await fs.writeFile(file, bytes)
  const script = `"$@" a "$0" && { head -c 100000 >/dev/null; "$@" b; } <"$0"`
  const words = [process.execPath, orlopProgram, 'content', 'ingest', '--root', root]
  const { stdout } = await runProgram('sh', ['-c', script, file, ...words])
  t.deepEqual(stdout.split('\n'), [digestOf(bytes), digestOf(bytes.subarray(100_000)), ''])
})

test('orlop content ingest of what is there succeeds, as in ctr', async t => {
  const run = await cliOn(t)
  for (const args of [
    'content ingest a',
    'content ingest a',
    `content ingest b --expected-digest ${hello}`,
  ]) {
    t.like(await run(args, { input: 'hello' }), { code: 0, stdout: `${hello}\n`, stderr: '' })
  }
  t.is((await run('content active -q')).stdout, '')
})

test('orlop content ingest refuses other bytes than expected, and says so of the ref that was given', async t => {
  const run = await cliOn(t)
  const digest = await run(`content ingest a --expected-digest ${absent}`, { input: 'hello' })
  t.like(digest, { code: 1, stdout: '' })
  t.regex(digest.stderr, new RegExp(`^orlop: ingest a: [^\\n]*${hello}[^\\n]*${absent}[^\\n]*\\n$`))
  const size = await run('content ingest b --expected-size 4', { input: 'hello' })
  t.is(size.code, 1)
  t.regex(size.stderr, /^orlop: ingest b: has 5 bytes, expected 4\n$/)
  t.is((await run('content list -q')).stdout, '')
  t.is((await run('content ingest c --expected-size many', { input: '' })).code, 2)
  t.is((await run('content ingest c --expected-digest md5:1', { input: '' })).code, 2)
})

test('orlop content ingest leaves nothing behind when there is nothing to read', async t => {
  const run = await cliOn(t)
  const missing = await run('content ingest a /nonexistent/file')
  t.is(missing.code, 3)
  t.regex(missing.stderr, /^orlop: file \/nonexistent\/file: no such file or directory\n$/)
  t.is((await run('content ingest a /')).code, 2)
  t.is((await run('content active -q')).stdout, '')
})

test('orlop content ingest goes on where an earlier try stopped', async t => {
  const run = await cliOn(t)
  // A refused commit keeps its bytes.
  await run('content ingest r --expected-size 99', { input: 'hel' })
  t.deepEqual(cells(linesOf(await run('content active'))[1]).slice(0, 2), ['r', '3B/99B'])
  t.is((await run('content ingest r', { input: 'hello' })).stdout, `${hello}\n`)
  t.is((await run('content active -q')).stdout, '')
})

test('orlop content ingest does not make one blob of two inputs', async t => {
  const run = await cliOn(t)
  await run('content ingest r --expected-size 99', { input: 'HEL' })
  const other = await run('content ingest r', { input: 'hello' })
  t.is(other.code, 1)
  t.regex(other.stderr, /^orlop: ingest r: [^\n]*"orlop content abort r" drops them\n$/)
  const shorter = await run('content ingest r', { input: 'HE' })
  t.is(shorter.code, 1)
  t.regex(shorter.stderr, /1 more than there are now/)
  t.is((await run('content list -q')).stdout, '')
  t.is((await run('content abort r')).stdout, 'r\n')
  t.is((await run('content ingest r', { input: 'hello' })).stdout, `${hello}\n`)
})

test('orlop content list and info show what is there', async t => {
  const run = await cliOn(t)
  t.is((await run('content list')).stdout, 'DIGEST SIZE AGE LABELS\n')
  t.is((await run('content list -q')).stdout, '')
  await run('content ingest a --label b=2 --label a=1', { input: 'hello' })
  const [header, row] = linesOf(await run('content ls'))
  t.deepEqual(cells(header), ['DIGEST', 'SIZE', 'AGE', 'LABELS'])
  t.regex(row ?? '', new RegExp(`^${hello} 5B   .*(second|minute).* a=1,b=2$`))
  t.is((await run('c ls -q')).stdout, `${hello}\n`)
  const [info] = JSON.parse((await run('content list --json')).stdout)
  t.like(info, { digest: hello, size: 5, labels: { a: '1', b: '2' } })
  t.like(JSON.parse((await run(`content info ${hello} --json`)).stdout), info)
  const table = linesOf(await run(`content info ${hello}`))
  t.deepEqual(
    table.map(line => cells(line)[0]),
    ['KEY', 'digest', 'size', 'createdAt', 'updatedAt', 'labels'],
  )
})

test('orlop content list takes filters, and refuses those that it cannot read', async t => {
  const run = await cliOn(t)
  await run('content ingest a --label kind=x', { input: 'hello' })
  await run('content ingest b', { input: 'other' })
  t.is((await run(['content', 'list', '-q', 'labels.kind==x'])).stdout, `${hello}\n`)
  t.is((await run(['content', 'list', '-q', 'labels.kind==y'])).stdout, '')
  for (const noun of ['content list', 'content active', 'images list']) {
    const { code, stdout, stderr } = await run([...noun.split(' '), '=='])
    t.like({ code, stdout }, { code: 2, stdout: '' })
    t.regex(stderr, /^orlop: [^\n]+\n$/)
  }
})

test('orlop content label sets and removes labels', async t => {
  const run = await cliOn(t)
  await run('content ingest a', { input: 'hello' })
  t.is((await run(`content label ${hello}`)).stdout, '-\n')
  t.is((await run(`content label ${hello} b=2 a=1`)).stdout, 'a=1,b=2\n')
  t.is((await run(`content label ${hello} a=`)).stdout, 'b=2\n')
  t.is((await run(`content label ${hello} c`)).stdout, 'b=2,c=true\n')
  t.is((await run(`content label ${hello} c=`)).stdout, 'b=2\n')
  t.deepEqual(JSON.parse((await run(`content label ${hello} --json`)).stdout), {
    digest: hello,
    labels: { b: '2' },
  })
  t.is((await run(['content', 'label', hello, `k=${'x'.repeat(5000)}`])).code, 2)
  t.is((await run(`content label ${absent} a=1`)).code, 3)
})

test('orlop content get writes the bytes as they are, and nothing else', async t => {
  const run = await cliOn(t)
  await run('content ingest a', { input: 'no end of line \u001b[31m' })
  const digest = digestOf('no end of line \u001b[31m')
  t.like(await run(`content get ${digest}`), { code: 0, stdout: 'no end of line \u001b[31m', stderr: '' })
  t.like(await run(`content get ${absent}`), { code: 3, stdout: '' })
  t.is((await run('content get nonsense')).code, 2)
})

test('orlop content get of a corrupt blob fails with 5', async t => {
  const run = await cliOn(t)
  await run('content ingest a', { input: 'hello' })
  const file = blobFile(run.root, hello)
  await fs.chmod(file, 0o600)
  await fs.writeFile(file, 'hellO')
  const { code, stderr } = await run(`content get ${hello}`)
  t.is(code, 5)
  t.regex(stderr, new RegExp(`^orlop: content ${hello}: [^\\n]+\\n$`))
})

test('orlop content delete goes on after one that is not there, and tells in the end', async t => {
  const run = await cliOn(t)
  await run('content ingest a', { input: 'hello' })
  const { code, stdout, stderr } = await run(`content rm ${absent} ${hello}`)
  t.is(code, 3)
  t.is(stdout, `${hello}\n`)
  t.regex(stderr, new RegExp(`^orlop: [^\\n]*${absent}[^\\n]*\\n$`))
  t.is((await run('content ls -q')).stdout, '')
})

test('orlop content active and abort', async t => {
  const run = await cliOn(t)
  t.is((await run('content active')).stdout, 'REF SIZE AGE\n')
  await run('content ingest one --expected-size 9', { input: 'x' })
  await run('content ingest two --expected-size 9', { input: 'x' })
  t.is((await run('content active -q')).stdout, 'one\ntwo\n')
  t.is((await run(['content', 'active', '-q', 'ref==two'])).stdout, 'two\n')
  const [status] = JSON.parse((await run('content active --json')).stdout)
  t.like(status, { ref: 'one', offset: 1, total: 9 })
  t.is((await run('content abort one two')).stdout, 'one\ntwo\n')
  t.deepEqual(await storedIngests(run.root), [])
  const gone = await run('content abort one')
  t.is(gone.code, 3)
  t.regex(gone.stderr, /^orlop: ingest "one": [^\n]+\n$/)
})
