import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { copyImage } from '../examples/copy.ts'
import { largeLayers } from '../examples/custom-handler.ts'
import { look } from '../examples/look.ts'
import { pullOne } from '../examples/pull.ts'
import { remoteSizes } from '../examples/remote-size.ts'
import { whereFrom } from '../examples/where.ts'
import { directoryWith } from './support/files.ts'
import { flat, image, index, sizeOf } from './support/image.ts'
import { publish } from './support/publish.ts'
import { startRegistry } from './support/registry.ts'
import { output, projectRoot } from './support/run.ts'
import { temporaryDirectory } from './support/tmp.ts'

const arm = image('linux/arm64', 'arm', 'a layer that both have')
const amd = image('linux/amd64', 'amd 1', 'a layer that both have')
const root = index(arm, amd)
/** Bytes of all blobs, each once. */
const blobBytes = [...new Map(flat(root).map(({ desc }) => [desc.digest, desc.size])).values()].reduce(
  (sum, size) => sum + size,
)
const shared = arm.below[2]?.desc

const serve = async (t: ExecutionContext) => {
  const registry = await startRegistry(t)
  return { registry, reference: publish(registry, 'app', '1', root) }
}

/** Runs an example as its first lines say. */
const example = (name: string, ...args: readonly string[]): Promise<string> =>
  output(process.execPath, [path.join(projectRoot, `dist/examples/${name}.js`), ...args], {
    env: { DOCKER_CONFIG: '/nonexistent' },
  })

test('examples/pull.ts pulls one platform and tells what is here', async t => {
  const { reference } = await serve(t)
  const {
    image: record,
    totals,
    entries,
  } = await pullOne(await temporaryDirectory(t), reference, 'linux/arm64')
  t.like(record, { name: reference, target: { digest: root.desc.digest } })
  t.is(totals.fetched, root.desc.size + sizeOf(arm))
  t.deepEqual(
    entries.map(({ platform, state }) => [platform?.architecture, state]),
    [
      ['arm64', 'complete'],
      ['amd64', 'missing'],
    ],
  )
})

test('examples/pull.ts runs as a program', async t => {
  const { reference } = await serve(t)
  const [first, ...rest] = (
    await example('pull', await temporaryDirectory(t), reference, 'linux/amd64')
  ).split('\n')
  t.is(first, `${reference} ${root.desc.digest} ${root.desc.size + sizeOf(amd)} bytes fetched`)
  t.deepEqual(rest, ['arm64 missing 0/1 blobs', 'amd64 complete 4/4 blobs', ''])
})

test('examples/copy.ts copies an image from a registry to a layout, and from there to a store', async t => {
  const { reference } = await serve(t)
  const directory = await temporaryDirectory(t)
  const layout = `oci:${directory}/layout:app`
  const { target } = await copyImage(`${directory}/store`, `docker://${reference}`, layout)
  t.is(target.digest, root.desc.digest)
  t.is(
    await example('copy', `${directory}/store`, layout, 'store:app'),
    `store:docker.io/library/app:latest ${root.desc.digest} ${blobBytes} bytes copied\n`,
  )
})

test('examples/remote-size.ts sizes each platform and reads no layer', async t => {
  const { reference, registry } = await serve(t)
  const sizes = { 'linux/arm64': root.desc.size + sizeOf(arm), 'linux/amd64': root.desc.size + sizeOf(amd) }
  t.deepEqual(Object.fromEntries(await remoteSizes(reference)), sizes)
  for (const { desc } of [...arm.below.slice(1), ...amd.below.slice(1)]) {
    t.deepEqual(registry.seen(new RegExp(desc.digest)), [])
  }
  t.is(
    await example('remote-size', reference),
    Object.entries(sizes)
      .map(([platform, size]) => `${platform} ${size}\n`)
      .join(''),
  )
})

test('examples/custom-handler.ts finds the layers above a size, each once', async t => {
  const { reference } = await serve(t)
  const found = await largeLayers(reference, 10)
  t.deepEqual(
    found.map(({ digest }) => digest),
    shared ? [shared.digest] : [],
  )
  t.is(await example('custom-handler', reference, '10'), `${shared?.digest} ${shared?.size}\n`)
  t.is(await example('custom-handler', reference, '1000000'), '')
})

test('examples/where.ts follows registries.conf to the mirror', async t => {
  const { registry } = await serve(t)
  const home = await directoryWith(t, {
    '.config/containers/registries.conf': `
      [aliases]
      app = "a.test/app"
      [[registry]]
      location = "a.test"
      [[registry.mirror]]
      location = "${registry.host}"`,
  })
  const expected = {
    reference: 'a.test/app:1',
    hosts: [`http://${registry.host}`, 'https://a.test'],
    target: root.desc,
  }
  t.like(await whereFrom('app:1', { env: { HOME: home } }), expected)
  const printed = await output(
    process.execPath,
    [path.join(projectRoot, 'dist/examples/where.js'), 'app:1'],
    {
      env: { HOME: home, DOCKER_CONFIG: '/nonexistent', CONTAINERS_REGISTRIES_CONF: undefined },
    },
  )
  t.is(printed, `a.test/app:1 ${root.desc.digest}\nhttp://${registry.host}\nhttps://a.test\n`)
})

test('examples/look.ts tells tags, referrers and size, and reads no layer', async t => {
  const { reference, registry } = await serve(t)
  const found = await look(reference)
  t.deepEqual(found.tags, ['1'])
  t.deepEqual(found.referrers, [])
  t.deepEqual(registry.seen(/^GET .*blobs/), [])
  t.is(await example('look', reference), `${found.bytes} bytes\ntag 1\n`)
})

test('code in README.md that names an example is that example', async t => {
  const readme = await fs.readFile(path.join(projectRoot, 'README.md'), 'utf8').catch(() => '')
  for (const [, file = '', code = ''] of readme.matchAll(
    /^```ts\n\/\/ (examples\/[\w.-]+)\n([\s\S]*?)^```$/gm,
  )) {
    const text = await fs.readFile(path.join(projectRoot, file), 'utf8')
    t.true(text.includes(code.trim()), `README.md and ${file} differ`)
  }
  // Every example opens with what it shows and the line that runs it.
  for (const name of ['pull', 'remote-size', 'custom-handler', 'where', 'look']) {
    const [first, second] = (await fs.readFile(path.join(projectRoot, `examples/${name}.ts`), 'utf8')).split(
      '\n',
    )
    t.regex(first ?? '', /^\/\/ \w/)
    t.true(second?.includes(`node dist/examples/${name}.js`), name)
  }
})
