import test from 'ava'
import fc from 'fast-check'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import {
  contentKey,
  diffIdKey,
  imageKey,
  ingestKey,
  kindPrefix,
  leaseKey,
  leaseResourceKey,
  leaseResourcesPrefix,
  namespaceKey,
  namespacesPrefix,
  nextSequence,
  parseKey,
  recordsPrefix,
  sequenceKey,
  touchNamespace,
  versionKey,
} from '../../src/metadata/schema.ts'
import { Transaction } from '../../src/metadata/transaction.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { keysOf } from '../suites/key-value.ts'

const digest = digestOf('x')

const spells = test.macro({
  exec(t, key: string, expected: string, parsed: ReturnType<typeof parseKey>) {
    t.is(key, expected)
    t.deepEqual(parseKey(key), parsed)
  },
  title: (_, __, expected) => `parseKey() reads ${expected}`,
})

test(spells, versionKey, 'version', { kind: 'version' })
test(spells, namespaceKey('k8s.io'), 'namespaces/k8s.io', { kind: 'namespace', namespace: 'k8s.io' })
test(spells, sequenceKey('k8s.io'), 'v1/k8s.io/sequence', { kind: 'sequence', namespace: 'k8s.io' })
test(spells, contentKey('default', digest), `v1/default/content/${digest}`, {
  kind: 'content',
  namespace: 'default',
  digest,
})
test(spells, diffIdKey('default', digest, digestOf('y')), `v1/default/diff-id/${digest}/${digestOf('y')}`, {
  kind: 'diff-id',
  namespace: 'default',
  diffId: digest,
  blob: digestOf('y'),
})
test(spells, ingestKey('default', 'layer-sha256:0 a'), 'v1/default/ingest/layer-sha256:0!20a', {
  kind: 'ingest',
  namespace: 'default',
  ref: 'layer-sha256:0 a',
})
test(
  spells,
  imageKey('default', 'docker.io/library/é:1~!'),
  'v1/default/image/docker.io/library/~C3~A9:1~7E!21',
  {
    kind: 'image',
    namespace: 'default',
    name: 'docker.io/library/é:1~!',
  },
)
test(spells, leaseKey('default', 'a/b'), 'v1/default/lease/a/b', {
  kind: 'lease',
  namespace: 'default',
  id: 'a/b',
})
test(
  spells,
  leaseResourceKey('default', 'a/b', { type: 'snapshots/overlayfs', id: 'c/d' }),
  'v1/default/lease-resource/a!2Fb/snapshots!2Foverlayfs/c/d',
  {
    kind: 'lease-resource',
    namespace: 'default',
    lease: 'a/b',
    resource: { type: 'snapshots/overlayfs', id: 'c/d' },
  },
)

const unknown = test.macro({
  exec(t, key: string) {
    t.is(parseKey(key), undefined)
  },
  title: (_, key) => `parseKey() does not know ${JSON.stringify(key)}`,
})

test(unknown, '')
test(unknown, 'v1')
test(unknown, 'v1/default')
test(unknown, 'v1/default/image/')
test(unknown, 'v1//image/a')
test(unknown, 'v1/default/snapshot/a')
test(unknown, 'v1/default/content/sha256:0a')
test(unknown, 'v1/default/sequence/a')
test(unknown, 'v1/default/lease-resource/a/content')
test(unknown, 'v2/default/image/a')

const refuses = test.macro({
  exec(t, name: string) {
    for (const make of [namespaceKey, recordsPrefix]) t.throws(() => make(name), { code: 'INVALID_ARGUMENT' })
    t.throws(() => imageKey('default', name), { code: 'INVALID_ARGUMENT' })
    t.throws(() => imageKey(name, 'a'), { code: 'INVALID_ARGUMENT' })
    t.throws(() => leaseResourcesPrefix('default', name), { code: 'INVALID_ARGUMENT' })
  },
  title: (_, name) => `the key builders refuse ${JSON.stringify(name)}`,
})

test(refuses, '')
test(refuses, '\ud800')
test(refuses, 'a\udc00b')

const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
const text = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.string({
      unit: fc.constantFrom('!', '~', '/', ' ', '"', '}', '\u0000', '\u007f', 'é', '\u{1f600}', 'a', '%'),
    }),
    fc.string({ minLength: 1 }),
  )
  .filter(name => name !== '' && !/\p{Surrogate}/u.test(name))

test('keys are printable ASCII and read back, whatever the names', t => {
  fc.assert(
    fc.property(text, text, text, text, (namespace, name, type, id) => {
      const keys = [
        namespaceKey(namespace),
        imageKey(namespace, name),
        ingestKey(namespace, name),
        leaseKey(namespace, name),
        leaseResourceKey(namespace, name, { type, id }),
      ]
      for (const key of keys) t.regex(key, /^[!-~]+$/)
      t.deepEqual(keys.map(parseKey), [
        { kind: 'namespace', namespace },
        { kind: 'image', namespace, name },
        { kind: 'ingest', namespace, ref: name },
        { kind: 'lease', namespace, id: name },
        { kind: 'lease-resource', namespace, lease: name, resource: { type, id } },
      ])
    }),
    { numRuns: 500 },
  )
})

test('keys are in the byte order of the names, as containerd lists them', t => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      const order = Math.sign(bytewise(a, b))
      for (const key of [
        namespaceKey,
        (name: string) => imageKey('ns', name),
        (name: string) => ingestKey('ns', name),
        (name: string) => leaseKey('ns', name),
        (id: string) => leaseResourceKey('ns', 'lease', { type: 'images', id }),
      ]) {
        const [one, two] = [key(a), key(b)]
        t.is(one < two ? -1 : one > two ? 1 : 0, order)
      }
    }),
    { numRuns: 1000 },
  )
})

test('a prefix holds its own records and no others, whatever the names', t => {
  fc.assert(
    fc.property(text, text, text, text, (ours, theirs, lease, other) => {
      fc.pre(ours !== theirs && lease !== other)
      const resource = { type: 'images', id: lease }
      t.true(imageKey(ours, lease).startsWith(kindPrefix(ours, 'image')))
      t.false(imageKey(theirs, lease).startsWith(recordsPrefix(ours)))
      t.false(leaseKey(ours, lease).startsWith(kindPrefix(ours, 'image')))
      t.false(leaseResourceKey(ours, lease, resource).startsWith(kindPrefix(ours, 'lease')))
      t.false(leaseResourceKey(ours, other, resource).startsWith(leaseResourcesPrefix(ours, lease)))
      t.false(imageKey(ours, lease).startsWith(namespacesPrefix))
    }),
    { numRuns: 500 },
  )
})

test('leaseResourceKey() lists content, images, ingests, snapshots', t => {
  const types = ['content', 'images', 'ingests', 'snapshots/a', 'snapshots/b']
  const keys = types.map(type => leaseResourceKey('ns', 'lease', { type, id: 'x' }))
  t.deepEqual(keys.toSorted(), keys)
})

test('touchNamespace() lists a namespace once and leaves its labels', async t => {
  const kv = new MemoryKeyValue()
  const first = new Transaction(kv.snapshot())
  await touchNamespace(first, 'a')
  t.deepEqual(first.ops(), [{ type: 'put', key: 'namespaces/a', value: { labels: {} } }])
  await kv.commit([{ type: 'put', key: 'namespaces/a', value: { labels: { b: 'c' } } }])
  const second = new Transaction(kv.snapshot())
  await touchNamespace(second, 'a')
  t.deepEqual(second.ops(), [])
  t.deepEqual(await keysOf(second, namespacesPrefix), ['namespaces/a'])
})

test('nextSequence() counts from 1, each namespace for itself', async t => {
  const tx = new Transaction(new MemoryKeyValue().snapshot())
  t.deepEqual(
    [await nextSequence(tx, 'a'), await nextSequence(tx, 'a'), await nextSequence(tx, 'b')],
    [1, 2, 1],
  )
})

test('nextSequence() of a damaged record is DATA_LOSS', async t => {
  const tx = new Transaction(new MemoryKeyValue().snapshot())
  tx.put(sequenceKey('a'), 'x')
  await t.throwsAsync(nextSequence(tx, 'a'), { code: 'DATA_LOSS', message: /v1\/a\/sequence/ })
})
