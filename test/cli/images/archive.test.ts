import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import path from 'node:path'
import zlib from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { FileSource } from '../../../src/archive/file-source.ts'
import { Digester } from '../../../src/oci/digest.ts'
import { load } from '../../../src/runtime/import.ts'
import { Runtime } from '../../../src/runtime/runtime.ts'
import { hostWanted } from '../../../src/runtime/select.ts'
import { layoutEntries, layoutTar, named, pathOf, tagged } from '../../support/archives.ts'
import { randomBytes } from '../../support/bytes.ts'
import { type Cli, cliOn, linesOf } from '../../support/cli.ts'
import { bytesByDu } from '../../support/du.ts'
import { config, image, index, layer, manifest, type Node, on } from '../../support/image.ts'
import { peakMemory } from '../../support/peak-memory.ts'
import { publish } from '../../support/publish.ts'
import { startRegistry } from '../../support/registry.ts'
import { orlop, orlopProgram, output, startOrlop } from '../../support/run.ts'
import { startServing } from '../../support/serving.ts'
import { rawHeader, rawTar } from '../../support/tar.ts'

const host = hostWanted().text
const mine = image(host, 'one', 'two')
const multi = index(mine, image('linux/s390x', 'three'))
const name = 'docker.io/library/app:1'

/** A root, a directory beside it, and an archive there. */
async function setUp(t: ExecutionContext, tar: Uint8Array = layoutTar(named(multi, name))) {
  const run = await cliOn(t)
  const dir = path.dirname(run.root)
  const file = path.join(dir, 'in.tar')
  await fs.writeFile(file, tar)
  return { run, dir, file }
}

/** Imports archives without a process for each. */
async function put(root: string, ...files: readonly string[]): Promise<void> {
  await using runtime = await Runtime.open({ root })
  for (const file of files) await load(runtime.scope(), new FileSource(file))
}

const ok = async (t: ExecutionContext, run: Cli, args: readonly string[]) => {
  const outcome = await run(args)
  t.is(outcome.code, 0, outcome.stderr)
  return outcome
}

test('orlop images import names what it took, and export gives the archive back', async t => {
  const { run, dir, file } = await setUp(t)
  const out = path.join(dir, 'out.tar')
  const taken = await ok(t, run, ['images', 'import', '--all-platforms', file])
  t.is(taken.stdout, `${name} ${multi.desc.digest}\n`)
  t.regex(taken.stderr, /blob sha256:[0-9a-f]{12}: stored/)
  const written = await ok(t, run, ['images', 'export', '--all-platforms', out, 'app:1'])
  t.is(written.stdout, '')
  t.regex(written.stderr, /8 blobs, /)
  const listed = linesOf({ stdout: await output('tar', ['-tf', out]) })
  t.deepEqual(listed.slice(0, 2).concat(listed.slice(-3)), [
    'blobs/',
    'blobs/sha256/',
    'index.json',
    'manifest.json',
    'oci-layout',
  ])
  await ok(t, run, ['images', 'check', '--all-platforms', name])
})

test('orlop images import reads stdin, and export writes to stdout: the same bytes as to a file', async t => {
  const { run, dir } = await setUp(t)
  const input = zlib.gzipSync(layoutTar(named(multi, name)))
  const taken = await run(['--quiet', 'images', 'import', '-'], { input })
  t.deepEqual([taken.code, taken.stdout, taken.stderr], [0, `${name}\n`, ''])
  const out = path.join(dir, 'out.tar')
  await ok(t, run, ['images', 'export', out, name])
  const shell = `"$0" --root "$1" --quiet images export - ${name} > "$2"`
  const program = path.join(process.cwd(), 'bin/orlop.js')
  await output('sh', ['-c', shell, program, run.root, `${out}.2`])
  t.deepEqual(await fs.readFile(`${out}.2`), await fs.readFile(out))
})

test('orlop images import and export with --json', async t => {
  const { run, dir, file } = await setUp(
    t,
    layoutTar(named(multi, name), tagged(image('linux/s390x', 'four'), 'x')),
  )
  const taken = await ok(t, run, ['--json', 'images', 'import', '--base-name', 'a.b/c', file])
  const { format, images, skipped } = JSON.parse(taken.stdout)
  t.deepEqual(
    [format, images.length, images[0].name, images[0].target.digest, skipped],
    ['oci', 1, name, multi.desc.digest, ['a.b/c:x']],
  )
  const out = path.join(dir, 'out.tar')
  const written = JSON.parse((await ok(t, run, ['--json', 'images', 'export', out, name])).stdout)
  t.deepEqual([written.file, written.blobs, written.missing, written.omitted], [out, 5, [], []])
  t.is(written.size, (await fs.stat(out)).size)
  t.deepEqual(written.images, [{ name, digest: multi.desc.digest }])
})

const fails = test.macro<[string, number, RegExp, Uint8Array?]>({
  async exec(t, line, code, message, tar) {
    const { run, dir } = await setUp(t, tar)
    const outcome = await run(line.replaceAll('DIR', dir).split(' '))
    t.is(outcome.code, code, outcome.stderr)
    t.regex(outcome.stderr, message)
    t.is(outcome.stdout, '')
    t.deepEqual(
      (await fs.readdir(dir)).filter(entry => entry !== 'root'),
      ['in.tar'],
    )
  },
  title: (_, line) => `orlop ${line} fails`,
})

test(fails, 'images import DIR/none.tar', 3, /file .*none\.tar: no such file or directory/)
test(fails, 'images import DIR/in.tar --platform linux/amd64 --all-platforms', 2, /not both/)
test(fails, 'images import --platform windows/arm64 DIR/in.tar', 3, /no image for windows\/arm64; it has/)
test(fails, 'images import DIR/in.tar', 2, /not a tar/, Buffer.from('nothing'))
test(fails, 'images export DIR/out.tar none:1', 3, /image none:1: not found/)

test('orlop images export fails on what is not here, skips it, or fetches it', async t => {
  const registry = await startRegistry(t)
  const other = image('linux/s390x', 'far', 'away')
  const root = index(mine, other)
  const reference = publish(registry, 'app', '1', root)
  const run = await cliOn(t)
  const out = path.join(path.dirname(run.root), 'out.tar')
  await ok(t, run, ['images', 'pull', reference])
  // The name means something else by now.
  publish(registry, 'app', '1', mine)
  const failed = await run(['images', 'export', '--all-platforms', out, reference])
  t.is(failed.code, 3)
  t.true(
    failed.stderr.includes(
      `image ${reference}: not all here: index ${root.desc.digest} → linux/s390x manifest ${other.desc.digest}`,
    ),
  )
  t.deepEqual(
    (await fs.readdir(path.dirname(out))).filter(entry => entry !== 'root'),
    [],
  )
  const skipped = await ok(t, run, [
    'images',
    'export',
    '--all-platforms',
    '--missing',
    'skip',
    out,
    reference,
  ])
  t.regex(skipped.stderr, /left out, for it is not here: index .* manifest/)
  await ok(t, run, ['images', 'export', '--all-platforms', '--missing', 'fetch', out, reference])
  const next = await cliOn(t)
  await ok(t, next, ['images', 'import', '--all-platforms', out])
  await ok(t, next, ['images', 'check', '--all-platforms', reference])
  await ok(t, run, ['images', 'check', '--all-platforms', reference])
})

test('orlop images export --since leaves out what an archive, an image here, or one in a registry has', async t => {
  const base = layer(randomBytes('base', 50_000))
  const make = (author: string, ...layers: readonly Node[]) =>
    on(host, manifest(config({ platform: host, author }), ...layers))
  const old = make('old', base)
  const next = make('new', base, layer('top'))
  const { run, dir, file } = await setUp(t, layoutTar(named(old, 'a.b/app:1')))
  const second = path.join(dir, 'second.tar')
  await fs.writeFile(second, layoutTar(named(next, 'a.b/app:2')))
  await put(run.root, file, second)
  const registry = await startRegistry(t)
  const reference = publish(registry, 'app', '1', old)
  const out = path.join(dir, 'out.tar')
  for (const since of [file, 'a.b/app:1', reference, `docker://${reference}`]) {
    const { stderr } = await ok(t, run, ['images', 'export', '--since', since, out, 'a.b/app:2'])
    t.regex(stderr, /a partial archive: 1 blobs were left out/, since)
    t.false((await output('tar', ['-tf', out])).includes(pathOf(base)), since)
  }
  const missing = await run(['images', 'export', '--since', './none.tar', out, 'a.b/app:2'])
  t.deepEqual([missing.code, /file \.\/none\.tar: no such file/.test(missing.stderr)], [3, true])
  // It is refused where the rest is not, and named; taken where it is.
  const other = await cliOn(t)
  const refused = await other(['images', 'import', out])
  t.is(refused.code, 1, refused.stderr)
  t.true(refused.stderr.includes(`→ layer ${base.desc.digest}`))
  t.is((await other('images list -q')).stdout, '')
  await put(other.root, file)
  await ok(t, other, ['images', 'import', out])
})

test('orlop images import and export work through the owner of a root, and with --address', async t => {
  const { run, dir, file } = await setUp(t)
  const serving = await startServing(t, run.root)
  const out = path.join(dir, 'out.tar')
  await ok(t, run, ['images', 'import', '--all-platforms', file])
  await ok(t, run, ['images', 'export', '--all-platforms', out, name])
  const remote = (...args: readonly string[]) => orlop(['--address', serving.address, ...args])
  const exported = await remote('images', 'export', '--all-platforms', `${out}.2`, name)
  t.is(exported.code, 0, exported.stderr)
  t.deepEqual(await fs.readFile(`${out}.2`), await fs.readFile(out))
  await remote('images', 'delete', '--sync', name)
  const imported = await remote('images', 'import', '--all-platforms', `${out}.2`)
  t.is(imported.stdout, `${name} ${multi.desc.digest}\n`, imported.stderr)
  t.is((await remote('images', 'check', '--all-platforms', name)).code, 0)
})

test('orlop images import that is interrupted leaves no image, no lease and no ingest', async t => {
  const run = await cliOn(t)
  const tar = layoutTar(
    named(on(host, manifest(config({ platform: host }), layer(randomBytes('big', 400_000)))), name),
  )
  const args = [orlopProgram, '--root', run.root, '--progress', 'json', 'images', 'import', '-']
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  // Half of it, and then silence: only the signal ends it.
  child.stdin.write(tar.subarray(0, 200_000))
  for await (const chunk of child.stderr) if (String(chunk).includes('"storing"')) break
  child.kill('SIGINT')
  t.deepEqual(await ended, [130, null])
  for (const what of ['images list -q', 'leases list -q', 'content active -q'])
    t.is((await run(what)).stdout, '', what)
})

test('orlop images import goes on when the process that holds the store is killed beneath it', async t => {
  const run = await cliOn(t)
  const file = path.join(path.dirname(run.root), 'big.tar')
  await writeBigLayout(file, 64 * 1024 * 1024)
  const serving = await startServing(t, run.root)
  const args = ['--root', run.root, '--progress', 'json', 'images', 'import', file]
  const { child, outcome } = startOrlop(args, { deadline: 120_000 })
  let killed = false
  child.stderr?.on('data', (chunk: Buffer) => {
    if (killed || !/"storing".*"offset":[1-9]/.test(String(chunk))) return
    killed = true
    process.kill(serving.pid, 'SIGKILL')
  })
  const { code, stderr } = await outcome
  t.deepEqual([code, killed], [0, true], stderr)
  await ok(t, run, ['images', 'check', '--deep', name])
})

test('orlop images import reads a pipe that has a name', async t => {
  const { run, dir, file } = await setUp(t)
  const pipe = path.join(dir, 'pipe')
  await output('mkfifo', [pipe])
  const [taken] = await Promise.all([
    run(['images', 'import', pipe]),
    output('sh', ['-c', 'cat "$0" > "$1"', file, pipe]),
  ])
  t.is(taken.stdout, `${name} ${multi.desc.digest}\n`, taken.stderr)
})

test('orlop images import and export of a large image stay within 150 MiB, with no second copy on disk', async t => {
  const size = 160 * 1024 * 1024
  const run = await cliOn(t)
  const dir = path.dirname(run.root)
  const file = path.join(dir, 'big.tar')
  await writeBigLayout(file, size)
  const importing = await peakMemory(t)
  const taken = await run(['-q', 'images', 'import', file], { env: importing.env, deadline: 120_000 })
  t.is(taken.code, 0, taken.stderr)
  t.true((await bytesByDu(run.root)) < size * 1.2)
  const exporting = await peakMemory(t)
  const out = path.join(dir, 'out.tar')
  const written = await run(['-q', 'images', 'export', out, name], { env: exporting.env, deadline: 120_000 })
  t.is(written.code, 0, written.stderr)
  const MiB = 1024 * 1024
  for (const peak of [await importing.bytes(), await exporting.bytes()]) {
    t.log(`${Math.round(peak / MiB)} MiB at most`)
    t.true(peak > 10 * MiB && peak < 150 * MiB, `${Math.round(peak / MiB)} MiB at most`)
  }
})

/** An image of one layer, whose bytes are never all in memory: a child's peak begins with its parent's. */
async function writeBigLayout(file: string, size: number): Promise<void> {
  const block = randomBytes('big', 1024 * 1024)
  const digester = new Digester()
  for (let at = 0; at < size; at += block.byteLength) digester.update(block)
  const big = { ...layer(''), desc: { ...layer('').desc, digest: digester.digest(), size } }
  const root = on(host, manifest(config({ platform: host }), big))
  const [first, ...rest] = layoutEntries(named({ ...root, below: root.below.slice(0, 1) }, name))
  const handle = await fs.open(file, 'w')
  await handle.write(rawHeader({ name: pathOf(big), size }))
  for (let at = 0; at < size; at += block.byteLength) await handle.write(block)
  await handle.write(rawTar(...(first ? [first] : []), ...rest))
  await handle.close()
}
