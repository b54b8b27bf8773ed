import test, { type ExecutionContext } from 'ava'
import { descriptorOf } from '../../../src/oci/descriptor.ts'
import { mediaTypes } from '../../../src/oci/media-type.ts'
import type { RegistryResolver } from '../../../src/remotes/registry/resolver.ts'
import type { RemoteRepository } from '../../../src/remotes/types.ts'
import { all } from '../../support/bytes.ts'
import { type Fault, startRegistry } from '../../support/registry.ts'
import { silence, stallAfter } from '../../support/registry-faults.ts'
import { quickResolver } from '../../support/resolver.ts'

const layer = descriptorOf(mediaTypes.ociLayerGzip, Buffer.from('a layer'))
const manifest = descriptorOf(mediaTypes.ociManifest, Buffer.from('a manifest'))

/** A call of the client that is to be stopped. */
type Call = (
  at: { readonly repository: RemoteRepository; readonly resolver: RegistryResolver; readonly host: string },
  signal: AbortSignal,
) => Promise<unknown>

const calls: Readonly<Record<string, Call>> = {
  'resolve() of a tag': ({ repository }, signal) => repository.resolve('v1', { signal }),
  'resolve() of a digest': ({ repository }, signal) => repository.resolve(layer.digest, { signal }),
  'manifest()': ({ repository }, signal) => repository.manifest('v1', { signal }),
  'has() of a blob': ({ repository }, signal) => repository.has(layer, { signal }),
  'has() of a manifest': ({ repository }, signal) => repository.has(manifest, { signal }),
  'tags()': ({ repository }, signal) => all(repository.tags({ signal })),
  'referrers()': ({ repository }, signal) => all(repository.referrers(manifest.digest, { signal })),
  'read() of a blob': ({ repository }, signal) => all(repository.read(layer, { signal })),
  'read() of a manifest': ({ repository }, signal) => all(repository.read(manifest, { signal })),
  'repositories()': ({ resolver, host }, signal) => all(resolver.repositories(host, { signal })),
}

/** A registry that does `fault` to everything, and a call under way there. */
async function underWay(t: ExecutionContext, call: Call, fault: Fault) {
  const registry = await startRegistry(t)
  registry.image('a', 'v1', 'a layer')
  let arrived: () => void = () => {}
  let closed: () => void = () => {}
  const arrival = new Promise<void>(resolve => (arrived = resolve))
  const close = new Promise<void>(resolve => (closed = resolve))
  registry.always(/./, exchange => {
    exchange.request.socket.once('close', closed)
    fault(exchange)
    arrived()
  })
  const { resolver } = quickResolver(t)
  const repository = await resolver.repository(`${registry.host}/a`)
  const stop = new AbortController()
  const running = call({ repository, resolver, host: registry.host }, stop.signal)
  running.catch(() => {})
  await arrival
  return { stop, running, close }
}

// The server never says more, so nothing but the abort can end these calls.
for (const [name, call] of Object.entries(calls))
  test(`an abort of ${name} ends it with its reason, and frees the socket`, async t => {
    const { stop, running, close } = await underWay(t, call, silence)
    const reason = new Error('enough')
    stop.abort(reason)
    t.is(await t.throwsAsync(running), reason)
    await close
  })

const withBody = ['manifest()', 'tags()', 'read() of a blob', 'repositories()']

for (const [name, call] of Object.entries(calls).filter(([name]) => withBody.includes(name)))
  test(`an abort of ${name} in the middle of a body ends it with its reason, and frees the socket`, async t => {
    const { stop, running, close } = await underWay(t, call, stallAfter(3))
    const reason = new Error('enough')
    stop.abort(reason)
    t.is(await t.throwsAsync(running), reason)
    await close
  })
