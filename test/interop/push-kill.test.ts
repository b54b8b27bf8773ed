import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '../support/bytes.ts'
import { startRegistry } from '../support/registry.ts'
import { orlop, startOrlop } from '../support/run.ts'
import { temporaryDirectory } from '../support/tmp.ts'
import { startUploadRegistry, type UploadRegistry } from '../support/upload-registry.ts'

const large = Buffer.alloc(20_000_000, 'a layer that takes its time; ')

interface Place {
  readonly push: readonly string[]
  readonly registry: UploadRegistry
  readonly digests: { readonly small: string; readonly large: string; readonly manifest: string }
}

const setUp = async (t: ExecutionContext): Promise<Place> => {
  const [from, registry] = await Promise.all([startRegistry(t), startUploadRegistry(t)])
  const { manifest, layers } = from.image('app', '1', randomBytes('small', 10_000), large)
  const root = path.join(await temporaryDirectory(t), 'root')
  const name = `${from.host}/app:1`
  const pulled = await orlop(['--root', root, '--quiet', 'images', 'pull', name])
  t.is(pulled.code, 0, pulled.stderr)
  const [small, big] = layers.map(({ digest }) => digest)
  return {
    push: ['--root', root, '--json', 'images', 'push', name, `${registry.host}/app:1`],
    registry,
    digests: { small: small ?? '', large: big ?? '', manifest: manifest.digest },
  }
}

/** Resolves when a part of the large layer has come; the push is then in the middle of it, and waits for us. */
const inTheMiddle = (registry: UploadRegistry): Promise<() => void> =>
  new Promise(resolve => {
    registry.next(/^PATCH/, async ({ body, sound, send }) => {
      await sound(await body(1_000_000))
      await new Promise<void>(go => resolve(go))
      send({ status: 500, headers: {}, body: Buffer.alloc(0) })
    })
  })

test('a push that is killed in the middle of a layer is done again, without what was there', async t => {
  const { push, registry, digests } = await setUp(t)
  const middle = inTheMiddle(registry)
  const { child, outcome } = startOrlop(push)
  const go = await middle
  // The small ones are done long before; if not, they are sent again, and that is right too.
  const there = [...registry.contents.keys()]
  child.kill('SIGKILL')
  t.is((await outcome).signal, 'SIGKILL')
  go()
  t.false(registry.contents.has('/v2/app/manifests/1'))
  const before = registry.requests.length
  const again = await orlop(push)
  t.is(again.code, 0, again.stderr)
  t.true(registry.contents.get(`/v2/app/blobs/${digests.large}`)?.equals(large))
  t.true(registry.contents.has('/v2/app/manifests/1'))
  const sent = registry.requests.slice(before).filter(({ method }) => method === 'PUT')
  for (const at of there)
    t.false(sent.some(({ path: line }) => line.includes(encodeURIComponent(at.split('/').at(-1) ?? ''))))
  const third = await orlop(push)
  t.is(JSON.parse(third.stdout).bytes.sent, 0)
  t.is(JSON.parse(third.stdout).target.digest, digests.manifest)
})

test('a push that is interrupted has the registry forget what it began', async t => {
  const { push, registry } = await setUp(t)
  const middle = inTheMiddle(registry)
  const { child, outcome } = startOrlop(push)
  await middle
  t.true(registry.sessions.size > 0)
  child.kill('SIGINT')
  t.is((await outcome).code, 130)
  t.is(registry.sessions.size, 0)
  t.true(registry.seen(/^DELETE/).length > 0)
})
