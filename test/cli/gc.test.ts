import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Runtime } from '../../src/runtime/runtime.ts'
import { cells, cliOn, linesOf } from '../support/cli.ts'
import { commitBytes } from '../support/commit.ts'
import { config, layer, manifest } from '../support/image.ts'
import { putImage } from '../support/put-image.ts'

const base = layer('b'.repeat(1000))
const one = manifest(config({ author: 'one' }), base, layer('1'.repeat(10)))
const two = manifest(config({ author: 'two' }), base, layer('2'.repeat(200)))
const past = '2020-01-01T00:00:00Z'

/**
 * Two namespaces: `one` and an expired `two` in the first, an expired lease with a blob, a blob that nobody keeps; the base
 * layer alone in the second.
 */
async function store(t: ExecutionContext) {
  const orlop = await cliOn(t)
  await using runtime = await Runtime.open({ root: orlop.root })
  const scope = runtime.scope()
  await putImage(scope, 'docker.io/library/one:latest', one)
  await putImage(scope, 'docker.io/library/two:latest', two, { 'containerd.io/gc.expire': past })
  const loose = await commitBytes(scope.content, Buffer.from('loose'))
  await scope.leases.create({ id: 'old', labels: { 'containerd.io/gc.expire': past } })
  const leased = await commitBytes(scope.under('old').content, Buffer.from('leased'))
  await commitBytes(runtime.scope('other').content, base.bytes, { labels: { 'containerd.io/gc.root': '1' } })
  return { orlop, loose, leased }
}

/** All files with their bytes, but those of LevelDB, which writes when it is opened. */
async function filesIn(root: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await fs.readdir(root, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name)
    if (entry.isFile() && !file.includes('/metadata/')) found.set(file, await fs.readFile(file, 'hex'))
  }
  return found
}

test('orlop gc plan says what would go, of which size and why, and changes nothing', async t => {
  const { orlop, loose, leased } = await store(t)
  const before = await filesIn(orlop.root)
  const { code, stdout, stderr } = await orlop('gc plan')
  t.is(code, 0, stderr)
  const lines = linesOf({ stdout })
  t.deepEqual(cells(lines[0]), ['KIND', 'NAMESPACE', 'NAME', 'SIZE', 'FREES', 'REASON'])
  const line = (name: string): string => lines.find(text => text.includes(name)) ?? ''
  t.regex(line(loose), /^content default +sha256:\w+ +5\.0 B +5\.0 B +no reference$/)
  t.regex(
    line(leased),
    /6\.0 B +6\.0 B +only lease "old" kept it, which expired at 2020-01-01T00:00:00\.000Z$/,
  )
  t.regex(line('lease   default'), / old .* lease "old" expired at 2020/)
  t.regex(line('two:latest '), /^image .* image "docker\.io\/library\/two:latest" expired at 2020/)
  t.true(lines.every(text => !text.includes(base.desc.digest) && !text.includes('one:latest')))
  t.regex(lines.at(-1) ?? '', /^7 to remove, \d+\.\d B would come free$/)
  t.deepEqual(await filesIn(orlop.root), before)
})

test('orlop gc run removes what orlop gc plan says, to the byte', async t => {
  const { orlop } = await store(t)
  const plan = JSON.parse((await orlop('--json gc plan')).stdout)
  const planned = linesOf(await orlop('-q gc plan'))
  t.is(planned.length, plan.items.length)
  const { code, stdout } = await orlop('--json gc run')
  t.is(code, 0)
  const done = JSON.parse(stdout)
  t.deepEqual(done.records, { lease: 1, content: 5, image: 1 })
  t.deepEqual([done.blobs, done.ingests, done.bytes], [5, 0, plan.bytes])
  t.deepEqual(JSON.parse((await orlop('--json gc plan')).stdout), { items: [], bytes: 0 })
  t.deepEqual(linesOf(await orlop('images list -q')), ['docker.io/library/one:latest'])
  t.is((await orlop(['content', 'get', base.desc.digest])).stdout, base.bytes.toString())
  t.is((await orlop(['--namespace', 'other', 'content', 'get', base.desc.digest])).code, 0)
})

test('orlop gc run --quiet prints each record and file that is gone', async t => {
  const { orlop, loose } = await store(t)
  const planned = linesOf(await orlop('-q gc plan'))
  const gone = linesOf(await orlop('-q gc run'))
  t.deepEqual([...gone.filter(line => !/^content - /.test(line))].sort(), [...planned].sort())
  t.true(gone.includes(`content default ${loose}`))
  t.true(gone.includes(`content - ${loose}`))
})

test('orlop gc run of an empty store says that there was nothing', async t => {
  const orlop = await cliOn(t)
  const { code, stdout } = await orlop('gc run')
  t.is(code, 0)
  t.deepEqual(linesOf({ stdout }), [
    'records: none',
    'on disk: 0 blobs, 0 ingests, 0.0 B',
    'writers were held for at most 0.0 ms, 0 times',
  ])
})

test('orlop gc why prints each way from a root, over all steps', async t => {
  const { orlop } = await store(t)
  const way = `image "docker.io/library/one:latest" → content ${one.desc.digest} → content ${base.desc.digest}  (image)\n`
  t.is((await orlop(['gc', 'why', base.desc.digest])).stdout, way)
  t.is((await orlop('gc why one')).stdout, 'image "docker.io/library/one:latest"  (image)\n')
  t.is(
    (await orlop(['-q', 'gc', 'why', base.desc.digest])).stdout,
    'image default docker.io/library/one:latest\n',
  )
  const json = JSON.parse((await orlop(['--json', 'gc', 'why', base.desc.digest])).stdout)
  t.deepEqual(
    json.paths.map(({ root, nodes }: { root: string; nodes: readonly unknown[] }) => [root, nodes.length]),
    [['image', 3]],
  )
  const other = await orlop(['-n', 'other', 'gc', 'why', base.desc.digest])
  t.is(other.stdout, `content ${base.desc.digest}  (label containerd.io/gc.root)\n`)
})

test('orlop gc why says that nothing keeps a thing, why, and since when', async t => {
  const { orlop, loose } = await store(t)
  t.regex(
    (await orlop(['gc', 'why', loose])).stdout,
    /^content sha256:\w+: nothing keeps it \(no reference\); here since \d{4}-.*Z\n$/,
  )
  t.regex((await orlop('gc why two')).stdout, /nothing keeps it \(image ".*two:latest" expired at 2020/)
  t.is((await orlop(['-q', 'gc', 'why', loose])).stdout, '')
})

test('orlop gc why --limit prints so many ways, and that there are more', async t => {
  const { orlop } = await store(t)
  t.is((await orlop('images tag one three')).code, 0)
  const lines = linesOf(await orlop(['gc', 'why', '--limit', '1', base.desc.digest]))
  t.deepEqual([lines.length, lines[1]], [2, '…and more'])
})

test('an ingest is kept for a day, and orlop gc why says until when', async t => {
  const orlop = await cliOn(t)
  const refused = await orlop('content ingest part --expected-size 9', { input: 'abc' })
  t.is(refused.code, 1)
  t.regex((await orlop('gc why part')).stdout, /^ingest "part" {2}\(ingest until \d{4}-.*Z\)\n$/)
  t.deepEqual(JSON.parse((await orlop('--json gc plan')).stdout).items, [])
})

const fails = test.macro({
  async exec(t, args: string, exit: number, text: RegExp) {
    const { orlop } = await store(t)
    const { code, stdout, stderr } = await orlop(args)
    t.deepEqual([code, stdout], [exit, ''])
    t.regex(stderr, text)
    t.is(stderr.trimEnd().split('\n').length, 1, stderr)
  },
  title: (_, args: string, exit: number) => `orlop ${args} exits with ${exit} and one line`,
})

test(fails, 'gc why nobody', 3, /^orlop: "nobody": no digest, and no image or ingest of that name/)
test(
  fails,
  `gc why sha256:${'0'.repeat(64)}`,
  3,
  /^orlop: content sha256:0+: there is none in namespace default/,
)
test(fails, '--json gc why nobody', 3, /^\{"error":\{"code":"NOT_FOUND",/)
test(fails, 'gc why', 2, /missing required argument/)
test(fails, 'gc why --limit 0 one', 2, /whole number, 1 or more/)
test(fails, 'gc run now', 2, /too many arguments/)
test(fails, 'gc plan --all', 2, /unknown option/)

test('orlop gc run stops at a record that cannot be read, names it and removes nothing', async t => {
  const { orlop } = await store(t)
  const before = await filesIn(orlop.root)
  const { Level } = await import('level')
  const level = new Level(path.join(orlop.root, 'metadata'))
  await level.put('v1/default/image/bad', '{')
  await level.close()
  for (const args of ['gc run', 'gc plan', 'gc why one']) {
    const { code, stdout, stderr } = await orlop(args)
    t.deepEqual([code, stdout], [5, ''], args)
    t.regex(stderr, /^orlop: .*v1\/default\/image\/bad/)
  }
  t.deepEqual(await filesIn(orlop.root), before)
})
