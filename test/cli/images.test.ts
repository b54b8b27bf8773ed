import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { formatBytes } from '../../src/cli/output.ts'
import { type Algorithm, digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { cells, cliOn, linesOf } from '../support/cli.ts'
import {
  config,
  emptyConfig,
  image,
  index,
  layer,
  manifest,
  type Node,
  on,
  sizeOf,
  withExtra,
} from '../support/image.ts'
import { publish } from '../support/publish.ts'
import { startRegistry } from '../support/registry.ts'
import { status } from '../support/registry-faults.ts'
import { blobFile } from '../support/store.ts'

const arm = image('linux/arm64', 'arm', 'both')
const amd = image('linux/amd64', 'amd', 'both')
const pair = index(arm, amd)

const setUp = async (t: ExecutionContext, root: Node = pair) => {
  const [run, registry] = await Promise.all([cliOn(t), startRegistry(t)])
  return { run, registry, name: publish(registry, 'app', '1', root) }
}

/** The same, with one platform pulled. */
const pulled = async (t: ExecutionContext, root: Node = pair, options = '--platform linux/amd64') => {
  const parts = await setUp(t, root)
  const outcome = await parts.run(`images pull ${options} ${parts.name}`)
  t.is(outcome.code, 0, outcome.stderr)
  return { ...parts, outcome }
}

test('orlop images pull prints name and digest on stdout, and progress on stderr', async t => {
  const { name, outcome, registry, run } = await pulled(t)
  t.is(outcome.stdout, `${name} ${pair.desc.digest}\n`)
  t.regex(outcome.stderr, /^resolving [\s\S]*: complete\n[\s\S]*5 blobs: .* fetched, 0.0 B were here\n$/)
  registry.requests.length = 0
  const again = await run(`i pull -q --platform linux/amd64 ${name}`)
  t.like(again, { code: 0, stdout: `${name}\n`, stderr: '' })
  t.deepEqual(registry.seen(/^GET/), [])
})

/** A blob that goes by another algorithm. */
const nodeAs = (
  algorithm: Algorithm,
  mediaType: string,
  content: string | object,
  below: Node[] = [],
): Node => {
  const bytes = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content))
  return { desc: { mediaType, digest: digestOf(bytes, algorithm), size: bytes.byteLength }, bytes, below }
}

for (const algorithm of ['sha384', 'sha512'] as const) {
  test(`orlop images pull, check and size of an image whose blobs are ${algorithm}`, async t => {
    const layers = ['base', 'top'].map(text => nodeAs(algorithm, mediaTypes.ociLayer, text))
    const rootfs = { type: 'layers', diff_ids: layers.map(({ desc }) => desc.digest) }
    const settings = nodeAs(algorithm, mediaTypes.ociConfig, { os: 'linux', architecture: 'amd64', rootfs })
    const body = { schemaVersion: 2, config: settings.desc, layers: layers.map(({ desc }) => desc) }
    const one = nodeAs(algorithm, mediaTypes.ociManifest, body, [settings, ...layers])
    const entries = [{ ...one.desc, platform: { os: 'linux', architecture: 'amd64' } }]
    const all = nodeAs(algorithm, mediaTypes.ociIndex, { schemaVersion: 2, manifests: entries }, [one])

    const { run, name } = await pulled(t, all)
    const stored = await fs.readdir(path.join(run.root, 'content', 'blobs'))
    t.deepEqual(stored, [algorithm])
    t.is((await run(`images check --deep --all-platforms ${name}`)).code, 0)
    const { sizes } = JSON.parse((await run(`images size --json --platform linux/amd64 ${name}`)).stdout)
    t.is(sizes[0].bytes, sizeOf(all))
    const { labels } = JSON.parse((await run(`content info --json ${one.desc.digest}`)).stdout)
    t.is(labels['containerd.io/gc.ref.content.config'], settings.desc.digest)
    t.is(labels['containerd.io/gc.ref.content.l.1'], layers[1]?.desc.digest)
    const again = await run(`images pull --progress none --platform linux/amd64 ${name}`)
    t.regex(again.stderr, / 0\.0 B fetched/)
    await fs.rm(blobFile(run.root, settings.desc.digest))
    const byDigest = `${name.slice(0, name.lastIndexOf(':'))}@${all.desc.digest}`
    t.is((await run(`images pull --progress none --platform linux/amd64 ${byDigest}`)).code, 0)
    t.is((await run(`images check --deep --all-platforms ${byDigest}`)).code, 0)
  })
}

test('orlop images pull --json says what was done', async t => {
  const { run, name } = await setUp(t)
  const { stdout, stderr } = await run(
    `images pull --json --progress none --all-platforms --label a=1 ${name}`,
  )
  const document = JSON.parse(stdout)
  t.like(document, { name, target: { digest: pair.desc.digest, mediaType: mediaTypes.ociIndex }, blobs: 8 })
  t.is(document.bytes.fetched, document.bytes.total)
  t.is(stderr, '')
  t.like(JSON.parse((await run('images list --json')).stdout)[0], { labels: { a: '1' } })
})

test('orlop images pull --progress json writes one object a line', async t => {
  const { run, name } = await setUp(t)
  const { stderr } = await run(`images pull -q --progress json --platform linux/amd64 ${name}`)
  const events = stderr
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  t.deepEqual(
    events.slice(0, 2).map(({ type }) => type),
    ['resolving', 'resolved'],
  )
  const complete = events.filter(({ type }) => type === 'complete')
  t.is(complete.length, 5)
  for (const event of complete) t.is(event.offset, event.size)
})

test('orlop images pull says what a name pointed at before', async t => {
  const { run, registry, name } = await pulled(t)
  publish(registry, 'app', '1', amd)
  const { stderr } = await run(`images pull --progress none ${name}`)
  t.true(stderr.includes(`the name pointed at ${pair.desc.digest} before\n`))
})

test('orlop content fetch is the same pull, and --metadata-only leaves the layers', async t => {
  const { run, name } = await setUp(t)
  t.is((await run(`content fetch --metadata-only --platform linux/amd64 ${name}`)).code, 0)
  t.is(linesOf(await run('content list -q')).length, 3)
  t.is((await run(`images check --platform linux/amd64 ${name}`)).code, 4)
})

const fails = test.macro<[number, string, RegExp]>({
  async exec(t, code, args, said) {
    const { run, registry } = await setUp(t)
    registry.always(/denied/, status(403))
    registry.always(/locked/, status(401, { 'www-authenticate': 'Basic realm="x"' }))
    const outcome = await run(`images pull --progress none ${args.replaceAll('HOST', registry.host)}`)
    t.is(outcome.code, code, outcome.stderr)
    t.is(outcome.stdout, '')
    t.regex(outcome.stderr, /^orlop: [^\n]+\n$/)
    t.regex(outcome.stderr, said)
    t.is((await run('images list -q')).stdout, '')
    t.is((await run('leases list -q')).stdout, '')
  },
  title: (_, code, args) => `orlop images pull ${args} fails with ${code} and one line`,
})

test(fails, 3, 'HOST/app:none', /app:none/)
test(fails, 3, 'HOST/nothing:1', /nothing:1/)
test(fails, 3, '--platform windows/amd64 HOST/app:1', /windows\/amd64; it offers linux\/amd64, linux\/arm64/)
test(fails, 6, 'HOST/denied:1', /denied/)
test(fails, 6, 'HOST/locked:1', /locked/)
test(fails, 7, '127.0.0.1:1/app:1', /127\.0\.0\.1:1 refuses connections/)
test(fails, 2, '--label =x HOST/app:1', /label/)
test(fails, 2, '--user :secret HOST/app:1', /^(?!.*secret).*--user/)

test('orlop images list has the columns of ctr', async t => {
  const { run, name } = await pulled(t)
  await run(`images label ${name} b=2 a=1`)
  const [header, row, ...rest] = linesOf(await run('images list'))
  t.deepEqual(rest, [])
  t.deepEqual(cells(header), ['REF', 'TYPE', 'DIGEST', 'SIZE', 'PLATFORMS', 'LABELS'])
  // Whatever the host is, only amd64 is here to be sized.
  const size = formatBytes(pair.desc.size + sizeOf(amd)).split(' ')
  t.deepEqual(cells(row), [
    name,
    mediaTypes.ociIndex,
    pair.desc.digest,
    ...size,
    'linux/amd64,linux/arm64',
    'a=1,b=2',
  ])
  t.is((await run('images ls -q')).stdout, `${name}\n`)
  t.is((await run(['images', 'ls', '-q', 'labels.a==1'])).stdout, `${name}\n`)
  t.is((await run(['images', 'ls', '-q', 'labels.a==2'])).stdout, '')
  t.like(JSON.parse((await run('images list --json')).stdout)[0], {
    name,
    target: { digest: pair.desc.digest, size: pair.desc.size },
    labels: { a: '1', b: '2' },
    platforms: ['linux/amd64', 'linux/arm64'],
  })
})

test('orlop images list shows an image whose index is gone', async t => {
  const { run, name } = await pulled(t)
  await run(`content delete ${pair.desc.digest}`)
  const { code, stdout } = await run('images list')
  t.is(code, 0)
  t.deepEqual(cells(stdout.trim().split('\n')[1]), [
    name,
    mediaTypes.ociIndex,
    pair.desc.digest,
    '-',
    '-',
    '-',
  ])
})

test('orlop images check reports each platform, and fails when what was asked for is not complete', async t => {
  const { run, name } = await pulled(t)
  const whole = await run(`images check --platform linux/amd64 ${name}`)
  t.is(whole.code, 0)
  const [header, first, second] = linesOf(whole)
  t.deepEqual(cells(header), ['REF', 'PLATFORM', 'DIGEST', 'STATUS', 'SIZE'])
  t.true(first?.startsWith(`${name} linux/arm64 ${arm.desc.digest} missing `))
  t.true(second?.startsWith(`${name} linux/amd64 ${amd.desc.digest} complete (4/4) `))
  for (const asked of ['--platform linux/arm64', '--all-platforms', '--platform linux/s390x']) {
    t.is((await run(`images check ${asked} ${name}`)).code, 4, asked)
  }
  t.is((await run(`images check -q --platform linux/amd64 ${name}`)).stdout, `${name}\n`)
  t.is((await run(`images check -q --platform linux/arm64 ${name}`)).stdout, '')
  t.is((await run('images check gone')).code, 3)
})

test('orlop images check names each missing blob with its way, in JSON too', async t => {
  const { run, name } = await pulled(t)
  const [, lost] = amd.below
  if (lost === undefined) return t.fail()
  await fs.rm(blobFile(run.root, lost.desc.digest))
  const { code, stdout } = await run(`images check --platform linux/amd64 ${name}`)
  t.is(code, 4)
  t.regex(stdout, /linux\/amd64 sha256:\w+ partial \(3\/4\)/)
  t.regex(stdout, new RegExp(`missing: ${name}: .*${lost.desc.digest}`))
  const [json] = JSON.parse((await run(`images check --json --platform linux/amd64 ${name}`)).stdout)
  t.like(json, { name, complete: false })
  t.deepEqual(json.entries[1].missing[0].path, [pair.desc.digest, amd.desc.digest, lost.desc.digest])
})

test('orlop images check --deep finds corrupt blobs and fails with 5', async t => {
  const { run, name } = await pulled(t)
  const [, bad] = amd.below
  if (bad === undefined) return t.fail()
  const file = blobFile(run.root, bad.desc.digest)
  await fs.chmod(file, 0o600)
  await fs.writeFile(file, Buffer.alloc(bad.desc.size))
  t.is((await run(`images check --platform linux/amd64 ${name}`)).code, 0)
  const { code, stdout } = await run(`images check --deep --platform linux/amd64 ${name}`)
  t.is(code, 5)
  t.regex(
    stdout,
    new RegExp(`corrupt: ${name}: .*${bad.desc.digest}.*got ${digestOf(Buffer.alloc(bad.desc.size))}`),
  )
})

test('orlop images check without images prints nothing', async t => {
  const run = await cliOn(t)
  t.like(await run('images check'), { code: 0, stdout: '', stderr: '' })
  t.deepEqual(JSON.parse((await run('images check --json')).stdout), [])
})

test('orlop images inspect draws the tree', async t => {
  const { run, name } = await pulled(t)
  const [amdConfig, ...layers] = amd.below
  t.deepEqual(linesOf(await run(`images inspect ${name}`)), [
    name,
    `└── ${mediaTypes.ociIndex} @${pair.desc.digest} (${pair.desc.size} bytes)`,
    `    ├── ${mediaTypes.ociManifest} @${arm.desc.digest} (${arm.desc.size} bytes) missing`,
    '    │       platform: linux/arm64',
    `    └── ${mediaTypes.ociManifest} @${amd.desc.digest} (${amd.desc.size} bytes)`,
    '        │   platform: linux/amd64',
    `        ├── ${mediaTypes.ociConfig} @${amdConfig?.desc.digest} (${amdConfig?.desc.size} bytes)`,
    `        ├── ${mediaTypes.ociLayerGzip} @${layers[0]?.desc.digest} (${layers[0]?.desc.size} bytes)`,
    `        └── ${mediaTypes.ociLayerGzip} @${layers[1]?.desc.digest} (${layers[1]?.desc.size} bytes)`,
  ])
  const [json] = JSON.parse((await run(`i i --json --content ${name}`)).stdout)
  t.is(json.nodes.length, 6)
  t.deepEqual(json.nodes[0].content, JSON.parse(Buffer.from(pair.bytes).toString()))
  t.true((await run(`images inspect --content ${name}`)).stdout.includes('"architecture": "amd64"'))
  t.is((await run('images inspect gone')).code, 3)
})

test('orlop images inspect, size and platforms --remote ask the registry and store nothing', async t => {
  const { run, name, registry } = await setUp(t)
  t.is(linesOf(await run(`images inspect --remote ${name}`)).length, 12)
  t.is((await run(`images platforms --remote ${name}`)).stdout, 'linux/arm64\nlinux/amd64\n')
  t.is(
    (await run(`images size -q --remote --platform linux/arm64 ${name}`)).stdout,
    `${pair.desc.size + sizeOf(arm)}\n`,
  )
  const layers = [arm, amd].flatMap(({ below }) => below.slice(1))
  for (const { desc } of layers) t.deepEqual(registry.seen(new RegExp(desc.digest)), [])
  await t.throwsAsync(fs.stat(run.root), { code: 'ENOENT' })
  t.is((await run('images platforms --remote localhost:1/nothing')).code, 7)
})

test('orlop images size of a manifest by itself says its own platform, whatever was asked for', async t => {
  const { run, name } = await pulled(t, arm, '--all-platforms')
  for (const options of ['', '--platform linux/s390x', '--all-platforms', '--remote']) {
    const { sizes } = JSON.parse((await run(`images size --json ${options} ${name}`)).stdout)
    t.deepEqual(sizes, [{ platform: 'linux/arm64', bytes: sizeOf(arm) }], options)
  }
})

test('orlop images size of an artifact has a line without platform', async t => {
  const artifact = manifest(emptyConfig(), layer('model', 'application/x-model'))
  const { run, name } = await pulled(t, artifact, '--all-platforms')
  for (const options of ['', '--all-platforms']) {
    const [, line] = linesOf(await run(`images size ${options} ${name}`))
    t.deepEqual(cells(line).slice(0, 2), ['-', String(sizeOf(artifact))], options)
  }
})

test('orlop images size has one line for each platform', async t => {
  const { run, name } = await pulled(t, pair, '--all-platforms')
  const [armSize, amdSize] = [pair.desc.size + sizeOf(arm), pair.desc.size + sizeOf(amd)]
  const { stdout } = await run(`images size --all-platforms ${name}`)
  t.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map(line => cells(line).slice(0, 2)),
    [
      ['PLATFORM', 'BYTES'],
      ['linux/arm64', String(armSize)],
      ['linux/amd64', String(amdSize)],
    ],
  )
  t.deepEqual(JSON.parse((await run(`images size --json --platform linux/arm64 ${name}`)).stdout), {
    name,
    sizes: [{ platform: 'linux/arm64', bytes: armSize }],
  })
  t.is((await run(`images size --platform linux/s390x ${name}`)).code, 3)
})

test('orlop images platforms lists what an image offers', async t => {
  const { run, name } = await pulled(t)
  t.is((await run(`images platforms ${name}`)).stdout, 'linux/arm64\nlinux/amd64\n')
  t.deepEqual(JSON.parse((await run(`images platforms --json ${name}`)).stdout), [
    { architecture: 'arm64', os: 'linux' },
    { architecture: 'amd64', os: 'linux' },
  ])
})

test('orlop images tag, label and delete', async t => {
  const { run, name } = await pulled(t)
  t.is((await run(`images tag ${name} one two:2`)).stdout, 'one\ntwo:2\n')
  const taken = await run(`images tag ${name} one`)
  t.like(taken, { code: 9, stdout: '' })
  t.regex(taken.stderr, /^orlop: [^\n]*one[^\n]*\n$/)
  t.is((await run(`images tag --force ${name} one`)).code, 0)
  t.is((await run(['images', 'tag', name, 'Not A Reference'])).code, 2)
  t.is((await run(['images', 'tag', '--skip-reference-check', name, 'Not A Reference'])).code, 0)
  t.is((await run('images tag gone three')).code, 3)
  t.is((await run('images label one a=1 b=2')).stdout, 'a=1,b=2\n')
  t.is((await run('images label one a= c=3')).stdout, 'b=2,c=3\n')
  t.is((await run('images label -r one z=9')).stdout, 'z=9\n')
  t.is((await run('images label one')).code, 2)
  t.is((await run('images delete one two:2')).stdout, 'one\ntwo:2\n')
  const gone = await run('images rm one')
  t.like(gone, { code: 0, stdout: '' })
  t.regex(gone.stderr, /^orlop: image one: not found, nothing deleted\n$/)
  t.deepEqual(JSON.parse((await run(`images del --json ${name}`)).stdout), [name])
})

test('orlop images tag --json and label --json have the documented fields', async t => {
  const { run, name } = await pulled(t)
  t.deepEqual(JSON.parse((await run(`images tag --json ${name} one`)).stdout), [
    { name: 'one', digest: pair.desc.digest },
  ])
  t.deepEqual(JSON.parse((await run('images label --json one a=1')).stdout), {
    name: 'one',
    labels: { a: '1' },
  })
})

test('orlop finds images by the names Docker would give them, in every verb', async t => {
  const { run, name } = await pulled(t)
  await run(`images tag ${name} docker.io/library/short:latest`)
  for (const verb of [
    'check --platform linux/amd64',
    'inspect',
    'size --platform linux/amd64',
    'platforms',
  ]) {
    t.is((await run(`images ${verb} short`)).code, 0, verb)
  }
  t.is((await run('images delete short')).stdout, 'docker.io/library/short:latest\n')
})

test('orlop lets nothing that a registry says drive the terminal, or pass for another line', async t => {
  const evil = withExtra(on('linux/amd64', manifest(config(), layer('x'))), {
    platform: { os: 'linux\nforged', architecture: 'amd64\u001b[2J\u009b31m' },
    annotations: { 'a\u001b]0;title\u0007': 'line\nbreak\u202e' },
  })
  const { run, name } = await pulled(t, index(evil), '--all-platforms')
  // Control characters but the end of a line, and those that turn the direction of writing.
  const wild = /[^\P{C}\n]/u
  for (const verb of [
    'list',
    'list --json',
    `inspect ${name}`,
    `inspect --content ${name}`,
    `inspect --json --content ${name}`,
    `platforms ${name}`,
    `check --all-platforms ${name}`,
    `size --all-platforms ${name}`,
    `pull --debug --platform linux/s390x ${name}`,
  ]) {
    const { stdout, stderr } = await run(`images ${verb}`)
    t.notRegex(stdout + stderr, wild, verb)
    t.notRegex(stdout, /^forged/m, verb)
    if (verb.includes('--json')) t.notThrows(() => JSON.parse(stdout), verb)
  }
  t.is(linesOf(await run('images list')).length, 2)
  t.is(linesOf(await run(`images platforms ${name}`)).length, 1)
})
