import fs from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { refKey } from '../../src/content/ref-key.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { copyPlaces } from '../support/copying.ts'
import { config, flat, layer, manifestWith, type Node } from '../support/image.ts'
import { publish } from '../support/publish.ts'
import { putImage } from '../support/put-image.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { stallAfter } from '../support/registry-faults.ts'
import { orlop, startOrlop } from '../support/run.ts'
import { openRuntime } from '../support/store.ts'
import { temporaryDirectory } from '../support/tmp.ts'

/** An image of some layers, each larger than what is written at once. */
const imageOf = (seed: string): Node =>
  manifestWith(
    {},
    config({ author: seed }),
    ...Array.from({ length: 6 }, (_, at) => layer(Buffer.alloc(600_000, `${seed}${at} `))),
  )

const [before, after] = [imageOf('before'), imageOf('after')]

/** Bytes of a layer that have been written below a directory: in its ingest, or in an archive that is not finished. */
async function written(directory: string, { desc }: Node): Promise<number> {
  const ingest = `${digestOf(refKey(desc)).slice(7)}/data`
  const names = await fs.readdir(directory, { recursive: true }).catch(() => [])
  const sizes = names
    .filter(name => name.endsWith(ingest) || name.endsWith('.tmp'))
    .map(async name => (await fs.stat(path.join(directory, name)).catch(() => ({ size: 0 }))).size)
  return Math.max(0, ...(await Promise.all(sizes)))
}

/** Starts a copy whose source falls silent in the middle of a layer, and kills it when it has written what came. */
async function killedAt(registry: TestRegistry, layer: Node, args: readonly string[], directory: string) {
  registry.next(new RegExp(`blobs/${layer.desc.digest}`), stallAfter(500_000))
  const { child, outcome } = startOrlop(args)
  while ((await written(directory, layer)) < 200_000 && child.exitCode === null) await delay(10)
  child.kill('SIGKILL')
  await outcome
}

async function setUp(t: ExecutionContext) {
  const directory = await temporaryDirectory(t)
  const store = (await openRuntime(t)).scope()
  await putImage(store, 'docker.io/library/before:latest', before)
  const registry = await startRegistry(t)
  const source = `docker://${publish(registry, 'after', '1', after)}`
  return { directory, registry, source, parts: { store }, at: (name: string) => path.join(directory, name) }
}

for (const [transport, name] of [
  ['oci', ':v1'],
  ['dir', ''],
] as const) {
  test(`${transport}: a copy that is killed leaves the image that was there, and the next goes on`, async t => {
    const { registry, source, parts, at } = await setUp(t)
    const to = `${transport}:${at('to')}${name}`
    await copyPlaces('store:before', to, {}, parts)
    const args = ['--root', at('root'), 'copy', '--max-concurrent-blobs', '1', source, to]
    const layers = after.below.slice(1)
    for (const layer of [layers[0], layers[4]]) {
      if (layer === undefined) throw new Error('no layer')
      await killedAt(registry, layer, args, at('to'))
      const still = await copyPlaces(to, `dir:${at('still')}`)
      t.is(still.target.digest, before.desc.digest)
    }
    const done = await orlop(['--json', ...args])
    t.is(done.code, 0, done.stderr)
    const { target, bytes } = JSON.parse(done.stdout)
    t.is(target.digest, after.desc.digest)
    t.true(bytes.reused > 0)
    await copyPlaces(to, `dir:${at('back')}`)
    t.is(
      (await fs.readdir(at('back'))).filter(file => /^[0-9a-f]{64}$/.test(file)).length,
      flat(after).length - 1,
    )
    t.deepEqual(
      (await fs.readdir(at('to'))).filter(file => file.startsWith('.') || file === 'ingest'),
      [],
    )
  })
}

test('oci-archive: a copy that is killed leaves the file that was there', async t => {
  const { registry, source, parts, directory, at } = await setUp(t)
  const to = `oci-archive:${at('a.tar')}`
  await copyPlaces('store:before', to, {}, parts)
  const bytes = await fs.readFile(at('a.tar'))
  const [, , , layer] = after.below
  if (layer === undefined) throw new Error('no layer')
  await killedAt(registry, layer, ['--root', at('root'), 'copy', source, to], directory)
  t.deepEqual(await fs.readFile(at('a.tar')), bytes)
})
