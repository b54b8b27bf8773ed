import fs from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import type { Signature } from '../../../src/images/signature.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { mediaTypes } from '../../../src/oci/media-type.ts'
import { signatureTag } from '../../../src/remotes/registry/attachments.ts'
import { startRegistry, type TestRegistry } from '../../support/registry.ts'
import { change, headers, status } from '../../support/registry-faults.ts'
import { quickResolver } from '../../support/resolver.ts'
import { signingKey, sigstoreSignature } from '../../support/signing.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

const digest = digestOf('a manifest')
const atomic = (text: string) => Buffer.concat([Buffer.of(0xa3), Buffer.from(text)])

const setUp = async (t: ExecutionContext, yaml = '') => {
  const [registry, directory] = await Promise.all([startRegistry(t), temporaryDirectory(t)])
  const { resolver } = quickResolver(t)
  const store = pathToFileURL(path.join(directory, 'lookaside')).href
  await fs.writeFile(path.join(directory, 'a.yaml'), yaml)
  return {
    registry,
    directory,
    reference: `${registry.host}/app:1`,
    signatures: resolver.signatures({ directory, lookaside: store }),
  }
}

const inLookaside = async (directory: string, ...texts: readonly string[]): Promise<void> => {
  const into = path.join(directory, 'lookaside', `app@${digest.replace(':', '=')}`)
  await fs.mkdir(into, { recursive: true })
  for (const [at, text] of texts.entries())
    await fs.writeFile(path.join(into, `signature-${at + 1}`), atomic(text))
}

/** Makes the registry keep signatures itself. */
const extend = (registry: TestRegistry, entries: unknown): void => {
  registry.always(/GET \/v2\/$/, headers({ 'x-registry-supports-signatures': '1' }))
  registry.always(
    /GET \/extensions\//,
    change(() => ({ status: 200, headers: {}, body: Buffer.from(JSON.stringify({ signatures: entries })) })),
  )
}

const entry = (text: string, more: object = {}) => ({
  schemaVersion: 2,
  name: `${digest}@1`,
  type: 'atomic',
  content: atomic(text).toString('base64'),
  ...more,
})

const texts = (signatures: readonly Signature[]): readonly string[] =>
  signatures.map(one =>
    one.format === 'simple-signing' ? Buffer.from(one.bytes.subarray(1)).toString() : one.format,
  )

test('signatures() reads the lookaside, and asks the registry nothing when none are required', async t => {
  const { registry, directory, reference, signatures } = await setUp(t)
  await inLookaside(directory, 'one', 'two')
  t.deepEqual(texts(await signatures.signatures(reference, digest)), ['one', 'two'])
  t.is(registry.requests.length, 0)
})

test('signatures() asks a registry once whether it keeps signatures, and reads the lookaside when not', async t => {
  const { registry, directory, reference, signatures } = await setUp(t)
  await inLookaside(directory, 'one')
  for (let times = 0; times < 3; times++)
    t.deepEqual(texts(await signatures.signatures(reference, digest, { required: true })), ['one'])
  t.deepEqual(
    registry.requests.map(({ method, path }) => `${method} ${path}`),
    ['GET /v2/'],
  )
})

test('signatures() takes what a registry keeps itself before the lookaside', async t => {
  const { registry, directory, reference, signatures } = await setUp(t)
  await inLookaside(directory, 'beside')
  extend(registry, [
    entry('kept'),
    entry('old', { schemaVersion: 1 }),
    entry('other', { type: 'other' }),
    entry('also'),
  ])
  t.deepEqual(texts(await signatures.signatures(reference, digest, { required: true })), ['kept', 'also'])
  t.is(registry.seen(new RegExp(`^GET /extensions/v2/app/signatures/${digest}$`)).length, 1)
})

test('signatures() takes an extension that knows none for an answer', async t => {
  const { registry, directory, reference, signatures } = await setUp(t)
  await inLookaside(directory, 'beside')
  extend(registry, null)
  t.deepEqual(await signatures.signatures(reference, digest, { required: true }), [])
  registry.heal()
  registry.always(/GET \/extensions\//, status(404))
  t.deepEqual(await signatures.signatures(reference, digest, { required: true }), [])
})

const refuses = test.macro<[what: string, entries: unknown, code: string]>({
  async exec(t, _what, entries, code) {
    const { registry, reference, signatures } = await setUp(t)
    extend(registry, entries)
    await t.throwsAsync(signatures.signatures(reference, digest, { required: true }), { code })
  },
  title: (_, what) => `signatures() refuses ${what} of an extension`,
})

test(refuses, 'a text', 'x', 'INVALID_ARGUMENT')
test(refuses, 'an entry that is no object', [1], 'INVALID_ARGUMENT')
test(refuses, 'an entry without content', [entry('x', { content: undefined })], 'INVALID_ARGUMENT')
test(refuses, 'more than 128 entries', Array(129).fill(entry('x')), 'RESOURCE_EXHAUSTED')
test(
  refuses,
  'a signature of more than 1 MiB',
  [entry('x', { content: 'A'.repeat(1_500_000) })],
  'RESOURCE_EXHAUSTED',
)
test(refuses, 'more than 4 MiB', [entry('x', { content: 'A'.repeat(4 * 1024 * 1024) })], 'RESOURCE_EXHAUSTED')

test('signatures() fails when the registry cannot be asked', async t => {
  const { registry, reference, signatures } = await setUp(t)
  registry.always(/GET \/v2\/$/, status(500))
  await t.throwsAsync(signatures.signatures(reference, digest, { required: true }), { code: 'UNAVAILABLE' })
})

test('signatures() adds what is attached, where registries.d says so', async t => {
  const yaml = 'default-docker:\n  use-sigstore-attachments: true\n'
  const { registry, directory, reference, signatures } = await setUp(t, yaml)
  const made = sigstoreSignature({ key: signingKey(), digest, reference })
  const layers = [{ ...registry.blob('app', made.payload, made.mediaType), annotations: made.annotations }]
  const config = registry.blob('app', '{}', mediaTypes.ociConfig)
  registry.put('app', signatureTag(digest), { schemaVersion: 2, config, layers })
  await inLookaside(directory, 'one')
  t.deepEqual(texts(await signatures.signatures(reference, digest)), ['one', 'sigstore'])
})

test('putSignatures() writes into the lookaside where the registry keeps none', async t => {
  const { reference, signatures } = await setUp(t)
  const one = { format: 'simple-signing', bytes: atomic('one') } as const
  await signatures.putSignatures(reference, digest, [one])
  await signatures.putSignatures(reference, digest, [one])
  t.deepEqual(texts(await signatures.signatures(reference, digest)), ['one'])
})

test('putSignatures() gives a registry that keeps signatures those that it has not', async t => {
  const { registry, directory, reference, signatures } = await setUp(t)
  extend(registry, [entry('one')])
  registry.always(/PUT \/extensions\//, status(201))
  const made = ['one', 'two'].map(text => ({ format: 'simple-signing', bytes: atomic(text) }) as const)
  await signatures.putSignatures(reference, digest, made)
  const puts = registry.seen(/^PUT \/extensions\//)
  t.is(puts.length, 1)
  const body = JSON.parse(puts[0]?.body ?? '')
  t.like(body, { schemaVersion: 2, type: 'atomic', content: atomic('two').toString('base64') })
  t.regex(body.name, new RegExp(`^${digest}@[0-9a-f]{32}$`))
  await t.throwsAsync(fs.stat(path.join(directory, 'lookaside')), { code: 'ENOENT' })
})

test('putSignatures() writes nothing when one of them has no place', async t => {
  const { directory, reference, signatures } = await setUp(t)
  const attached = sigstoreSignature({ key: signingKey(), digest, reference })
  const beside = { format: 'simple-signing', bytes: atomic('one') } as const
  await t.throwsAsync(signatures.putSignatures(reference, digest, [beside, attached]), {
    code: 'FAILED_PRECONDITION',
    message: /set use-sigstore-attachments: true in registries\.d/,
  })
  await t.throwsAsync(fs.stat(path.join(directory, 'lookaside')), { code: 'ENOENT' })
})
