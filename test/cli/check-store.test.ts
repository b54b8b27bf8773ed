import fs from 'node:fs/promises'
import test from 'ava'
import { damagedStore } from '../support/damaged-store.ts'
import { orlop } from '../support/run.ts'

test('orlop check says that a whole store has no damage', async t => {
  const { root } = await damagedStore(t)
  const { code, stdout, stderr } = await orlop(['--root', root, 'check'])
  t.deepEqual([code, stdout], [0, ''])
  t.regex(stderr, /9 records in 1 namespaces, 5 blobs of 9\d\.\d KiB, every byte read\nno damage\n/)
})

test('orlop check exits with 0 for what a crash leaves, and says so', async t => {
  const { root, file, manifest } = await damagedStore(t)
  await fs.writeFile(file(manifest).slice(0, -4).concat('0000'), 'nobody')
  const { code, stdout, stderr } = await orlop(['--root', root, 'check', '--quick'])
  t.is(code, 0)
  t.regex(
    stdout,
    /^orphan: content sha256:.*0000\n {2}expected a record; found 6 bytes that no record names\n$/,
  )
  t.regex(stderr, /only indexes and manifests read\nno damage; harmless: 1 orphan\n/)
})

test('orlop check exits with 5 for damage, says what a repair would do, and does nothing', async t => {
  const store = await damagedStore(t)
  const [one = store.config, two = store.config] = store.layers
  await store.flip(one)
  await fs.rm(store.file(two))
  const bad = await fs.readFile(store.file(one))
  const { code, stdout, stderr } = await orlop(['--root', store.root, 'check'])
  t.is(code, 5)
  t.true(stdout.includes(`missing: content ${two} (namespace default)\n`), stdout)
  t.true(stdout.includes(`wrong-digest: content ${one} (namespace default)\n`), stdout)
  t.true(stdout.includes('  repair: fetch it anew, then put the bad file into quarantine\n'), stdout)
  t.regex(stderr, /2 damaged; "orlop check --repair" does what is said above/)
  t.deepEqual(await fs.readFile(store.file(one)), bad)
})

test('orlop check --quiet prints the damaged objects only', async t => {
  const store = await damagedStore(t)
  await fs.rm(store.file(store.config))
  const { code, stdout, stderr } = await orlop(['--quiet', '--root', store.root, 'check'])
  t.deepEqual([code, stdout, stderr], [5, `content ${store.config}\n`, ''])
})

test('orlop check --json prints one document', async t => {
  const store = await damagedStore(t)
  await fs.rm(store.file(store.config))
  const { code, stdout } = await orlop(['--json', '--root', store.root, 'check'])
  const { clean, findings, checked, absent } = JSON.parse(stdout)
  t.deepEqual([code, clean, absent], [5, false, 0])
  t.like(checked, { blobs: 4, hashed: true })
  t.deepEqual(findings, [
    {
      ...{ class: 'missing', severity: 'broken', object: `content ${store.config}`, namespace: 'default' },
      ...{
        expected: `${findings[0].expected}`,
        found: 'no file',
        repair: 'fetch it anew',
        digest: store.config,
      },
    },
  ])
})

test('orlop check --repair fetches from where the blobs came from and exits with 0', async t => {
  const store = await damagedStore(t)
  const [one = store.config, two = store.config] = store.layers
  await store.flip(one)
  await fs.rm(store.file(two))
  const { code, stdout, stderr } = await orlop(['--root', store.root, 'check', '--repair'])
  t.is(code, 0, stdout)
  t.true(stdout.includes(`repaired: missing: content ${two} (namespace default): fetched from `), stdout)
  t.regex(stderr, /no damage\nwhat was taken out is in .*quarantine/)
  t.is((await orlop(['--root', store.root, 'check'])).code, 0)
})

test('orlop check --repair exits with 5 for what it could not repair', async t => {
  const store = await damagedStore(t)
  await fs.rm(store.file(store.config))
  store.registry.always(/./, ({ response }) => {
    response.writeHead(404).end()
  })
  const { code, stdout } = await orlop(['--json', '--root', store.root, 'check', '--repair'])
  const { clean, repaired } = JSON.parse(stdout)
  t.deepEqual([code, clean, repaired[0].outcome], [5, false, 'failed'])
})

const refuses = test.macro({
  async exec(t, args: readonly string[], text: RegExp) {
    const { root } = await damagedStore(t)
    const { code, stderr } = await orlop(['--root', root, 'check', ...args])
    t.is(code, 2)
    t.regex(stderr, text)
  },
  title: (_, args: readonly string[]) => `orlop check refuses ${args.join(' ')}`,
})

test(refuses, ['--from', 'busybox'], /--from: only --repair fetches/)
test(refuses, ['--repair', '--user', 'me:secret'], /--user: name the registry/)
test(refuses, ['--repair', '--from', 'A b'], /reference/)
test(refuses, ['--never'], /unknown option/)

test('orlop check says so when the database is damaged', async t => {
  const { root } = await damagedStore(t)
  await fs.rm(`${root}/metadata/CURRENT`)
  const { code, stderr } = await orlop(['--root', root, 'check'])
  t.is(code, 5)
  t.regex(stderr, /CURRENT is missing; .*orlop rebuild/)
})
