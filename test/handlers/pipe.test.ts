import test from 'ava'
import { OrlopError } from '../../src/errors.ts'
import { before } from '../../src/handlers/before.ts'
import { pipe, rewrite } from '../../src/handlers/pipe.ts'
import { dropWhen, leafWhen, skipMissing, skipNonDistributable } from '../../src/handlers/skip.ts'
import type { Handler, Wrap } from '../../src/handlers/types.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { config, layer, manifest } from '../support/image.ts'

const letters: Handler<string> = async node => [`${node}1`, `${node}2`]
const append = (text: string): Wrap<string> => rewrite(nodes => nodes.map(node => node + text))

test('pipe() without wraps is the handler', async t => {
  t.is(pipe(letters), letters)
})

test('pipe() applies wraps from left to right', async t => {
  t.deepEqual(await pipe(letters, append('a'), append('b'))('n', {}), ['n1ab', 'n2ab'])
})

test('rewrite() gives the parent to the function', async t => {
  const handler = pipe(
    letters,
    rewrite((nodes, parent) => [...nodes, parent]),
  )
  t.deepEqual(await handler('n', {}), ['n1', 'n2', 'n'])
})

test('rewrite() passes options and errors', async t => {
  const { signal } = new AbortController()
  const handler: Handler<string> = async (_, options) => {
    t.is(options.signal, signal)
    throw new TypeError('no')
  }
  await t.throwsAsync(async () => pipe(handler, append('x'))('n', { signal }), { instanceOf: TypeError })
})

test('leafWhen() does not ask for the children of a node that passes', async t => {
  const asked: string[] = []
  const handler: Handler<string> = async node => {
    asked.push(node)
    return ['child']
  }
  const leafy = pipe(
    handler,
    leafWhen<string>(node => node === 'leaf'),
  )
  t.deepEqual(await leafy('leaf', {}), [])
  t.deepEqual(await leafy('other', {}), ['child'])
  t.deepEqual(asked, ['other'])
})

test('dropWhen() leaves out children and keeps the order of the others', async t => {
  const handler: Handler<string> = async () => ['a', 'b', 'c']
  t.deepEqual(
    await pipe(
      handler,
      dropWhen<string>(node => node === 'b'),
    )('b', {}),
    ['a', 'c'],
  )
})

test('skipMissing() takes NOT_FOUND for no children', async t => {
  const handler: Handler = async () => Promise.reject(new OrlopError('NOT_FOUND', 'gone'))
  t.deepEqual(await pipe(handler, skipMissing)(layer('a').desc, {}), [])
})

test('skipMissing() passes children', async t => {
  const [a, b] = [layer('a').desc, layer('b').desc]
  t.deepEqual(await pipe(async () => [b], skipMissing)(a, {}), [b])
})

for (const code of ['DATA_LOSS', 'UNAVAILABLE', 'INVALID_ARGUMENT', 'PERMISSION_DENIED'] as const) {
  test(`skipMissing() passes ${code}`, async t => {
    const handler: Handler = async () => Promise.reject(new OrlopError(code, 'x'))
    await t.throwsAsync(async () => pipe(handler, skipMissing)(layer('a').desc, {}), { code })
  })
}

test('skipMissing() passes aborts', async t => {
  const handler: Handler = async (_, { signal }) => {
    signal?.throwIfAborted()
    return []
  }
  const signal = AbortSignal.abort(new Error('gone'))
  await t.throwsAsync(async () => pipe(handler, skipMissing)(layer('a').desc, { signal }), {
    message: 'gone',
  })
})

const dropsForeign = test.macro({
  async exec(t, mediaType: string, dropped: boolean) {
    const node = manifest(config(), layer('a', mediaType), layer('b'))
    const handler: Handler = async () => node.below.map(({ desc }) => desc)
    const left = await pipe(handler, skipNonDistributable)(node.desc, {})
    t.is(left.length, dropped ? 2 : 3)
    t.is(
      left.some(
        desc => desc.mediaType === mediaType && desc.size === 1 && desc.digest === layer('a').desc.digest,
      ),
      !dropped,
    )
  },
  title: (_, mediaType, dropped) => `skipNonDistributable ${dropped ? 'drops' : 'keeps'} ${mediaType}`,
})

test(dropsForeign, mediaTypes.ociNondistributableLayer, true)
test(dropsForeign, mediaTypes.ociNondistributableLayerGzip, true)
test(dropsForeign, mediaTypes.ociNondistributableLayerZstd, true)
test(dropsForeign, mediaTypes.dockerForeignLayer, true)
test(dropsForeign, mediaTypes.dockerForeignLayerGzip, true)
test(dropsForeign, mediaTypes.ociLayer, false)
test(dropsForeign, mediaTypes.dockerLayerGzip, false)
test(dropsForeign, 'application/x-anything', false)

test('before() runs the effect ahead of the children, with the same options', async t => {
  const log: string[] = []
  const { signal } = new AbortController()
  const handler: Handler<string> = async node => {
    log.push(`children of ${node}`)
    return []
  }
  const effect = async (node: string, options: { readonly signal?: AbortSignal | undefined }) => {
    t.is(options.signal, signal)
    await null
    log.push(`effect on ${node}`)
  }
  await pipe(handler, before(effect))('a', { signal })
  t.deepEqual(log, ['effect on a', 'children of a'])
})

test('before() does not ask for children when the effect fails', async t => {
  const handler: Handler<string> = async () => t.fail() as never
  const failing = before<string>(async () => Promise.reject(new TypeError('no')))
  await t.throwsAsync(async () => pipe(handler, failing)('a', {}), { instanceOf: TypeError })
})
