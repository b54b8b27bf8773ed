import test from 'ava'
import { cells, cliOn, linesOf } from '../support/cli.ts'

test('orlop namespaces creates, lists, labels and removes', async t => {
  const run = await cliOn(t)
  t.like(await run('namespaces create one a=1 b=2'), { code: 0, stdout: '', stderr: '' })
  t.is((await run('ns c two')).code, 0)
  t.is((await run('namespaces list')).stdout, 'NAME LABELS\none  a=1,b=2\ntwo  -\n')
  t.is((await run('ns ls -q')).stdout, 'one\ntwo\n')
  t.deepEqual(JSON.parse((await run('namespaces list --json')).stdout), [
    { name: 'one', labels: { a: '1', b: '2' } },
    { name: 'two', labels: {} },
  ])
  t.is((await run('namespaces label one a= c=3')).stdout, 'b=2,c=3\n')
  t.is((await run('namespaces remove two')).stdout, 'two\n')
  t.is((await run('ns ls -q')).stdout, 'one\n')
})

test('orlop namespaces create refuses one that exists with 9, and a bad name with 2', async t => {
  const run = await cliOn(t)
  await run('namespaces create one')
  t.like(await run('namespaces create one'), { code: 9, stdout: '' })
  t.is((await run('namespaces create a/b')).code, 2)
})

test('orlop namespaces label makes a namespace that is not there, as containerd does', async t => {
  const run = await cliOn(t)
  t.is((await run('namespaces label new a=1')).stdout, 'a=1\n')
  t.is((await run('ns ls -q')).stdout, 'new\n')
})

test('orlop namespaces remove warns of what is not there, and refuses what is not empty', async t => {
  const run = await cliOn(t)
  const gone = await run('namespaces rm gone')
  t.like(gone, { code: 0, stdout: '' })
  t.regex(gone.stderr, /^orlop: namespace gone: not found, nothing removed\n$/)
  await run('-n full content ingest r', { input: 'x' })
  const full = await run('namespaces remove full')
  t.is(full.code, 1)
  t.regex(full.stderr, /^orlop: [^\n]*full[^\n]*\n$/)
})

test('orlop leases creates, lists, fills and deletes', async t => {
  const run = await cliOn(t)
  t.is((await run('leases create --id one a=1')).stdout, 'one\n')
  const { stdout: id } = await run('leases create -x 1h30m')
  t.regex(id, /^\S+\n$/)
  const [header, ...rows] = linesOf(await run('leases list'))
  t.deepEqual(cells(header), ['ID', 'CREATED', 'AT', 'LABELS'])
  t.is(rows.length, 2)
  t.deepEqual((await run('lease ls -q')).stdout.trim().split('\n').toSorted(), ['one', id.trim()].toSorted())
  const [found] = JSON.parse((await run(['leases', 'list', '--json', 'id==one'])).stdout)
  t.like(found, { id: 'one', labels: { a: '1' } })
  t.false(Number.isNaN(Date.parse(found.createdAt)))
  const digest = `sha256:${'a'.repeat(64)}`
  const { stdout: held } = await run(`leases resources one --add content=${digest}`)
  t.is(held, `TYPE    ID\ncontent ${digest}\n`)
  t.is((await run(`leases resources one --remove content=${digest} -q`)).stdout, '')
  t.is((await run('leases delete one')).stdout, 'one\n')
  t.is((await run('leases rm one')).code, 3)
})

test('orlop leases create: without expiry on request; taken, bad ids and durations are refused', async t => {
  const run = await cliOn(t)
  const lease = JSON.parse((await run('leases create --id forever -x 0 --json')).stdout)
  t.is(lease.id, 'forever')
  t.false('expiresAt' in lease)
  t.is((await run('leases create --id forever')).code, 9)
  t.is((await run('leases create -x soon')).code, 2)
  t.is((await run('leases resources forever --add nonsense')).code === 0, false)
  t.is((await run('leases resources gone')).code, 3)
})

test('orlop leases list refuses a filter that cannot be read', async t => {
  const run = await cliOn(t)
  const { code, stderr } = await run(['leases', 'list', 'id=='])
  t.is(code, 2)
  t.regex(stderr, /^orlop: [^\n]+\n$/)
})
