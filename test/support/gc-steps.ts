import fc from 'fast-check'
import { isOrlopError } from '../../src/errors.ts'
import { type CollectedStore, digestOfText, putText, targetOfText } from './collected.ts'
import type { Model } from './gc-model.ts'

const hour = 60 * 60 * 1000

/** One step of a random history; it is done to the store and to the model, and both must agree whether it succeeds. */
export interface Step {
  /** What it does, for fast-check. */
  [fc.toStringMethod](): string
  run(store: CollectedStore, model: Model): Promise<void>
}

// Few of each, so that steps meet.
const namespaces = fc.constantFrom('a', 'a', 'a', 'b')
const texts = fc.integer({ min: 0, max: 5 }).map(n => `t${n}`)
const names = fc.integer({ min: 0, max: 2 }).map(n => `i${n}`)
const ids = fc.integer({ min: 0, max: 1 }).map(n => `l${n}`)
const refs = fc.integer({ min: 0, max: 2 }).map(n => `r${n}`)
const lease = fc.option(ids, { nil: undefined })

/** A label with its value; expiry is in hours from the step on, and becomes a date then. */
const label = fc.oneof(
  fc
    .tuple(fc.constantFrom('', '', '.l.0', '/x', 'bad'), texts)
    .map(([end, text]) => [`ref.content${end}`, digestOfText(text)]),
  fc.tuple(fc.constantFrom('', '.a', '/b', 'bad'), names).map(([end, name]) => [`ref.image${end}`, name]),
  texts.map(text => ['bref.content', digestOfText(text)]),
  names.map(name => ['bref.image.x', name]),
  fc.constantFrom(
    ['root', '1'],
    ['root.mine', '1'],
    ['ref.content', 'bad'],
    ['ref.snapshot.x', 'y'],
    ['expire', 'never'],
  ),
  fc.integer({ min: -5, max: 60 }).map(hours => ['expire', `in ${hours} h`]),
)
const labels = fc.array(label, { maxLength: 3 })

function dated(found: readonly (readonly string[])[], now: number): Record<string, string> {
  return Object.fromEntries(
    found.map(([key, value = '']) => [
      `containerd.io/gc.${key}`,
      value.startsWith('in ') ? new Date(now + Number(value.split(' ')[1]) * hour).toISOString() : value,
    ]),
  )
}

/** True when it was done, false when the store refused it. */
async function tried(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (isOrlopError(error) && ['NOT_FOUND', 'ALREADY_EXISTS', 'FAILED_PRECONDITION'].includes(error.code))
      return false
    throw error
  }
}

const agree = (what: string, store: boolean, model: boolean): void => {
  if (store !== model) throw new Error(`${what}: the store ${store ? 'did' : 'refused'} it, the model not`)
}

type Scope = ReturnType<CollectedStore['scope']>
type In = { readonly ns: string; readonly lease: string | undefined }
const step = <T>(
  name: string,
  input: fc.Arbitrary<T>,
  run: (given: T, store: CollectedStore, model: Model) => Promise<void>,
): fc.Arbitrary<Step> =>
  input.map(given => ({
    run: (store, model) => run(given, store, model),
    [fc.toStringMethod]: () => `${name} ${JSON.stringify(given)}`,
  }))
const scoped = (store: CollectedStore, { ns, lease }: In): Scope => store.scope(ns, lease)

const putBlob = step(
  'put',
  fc.record({ ns: namespaces, lease, text: texts, labels }),
  async (given, store, model) => {
    const space = model.namespace(given.ns)
    const digest = digestOfText(given.text)
    const holder = given.lease === undefined ? undefined : space.leases.get(given.lease)
    const found = dated(given.labels, model.now)
    const can = given.lease === undefined || holder !== undefined
    const isNew = can && !space.blobs.has(digest)
    agree('put', await tried(putText(scoped(store, given).content, given.text, found)), isNew)
    if (!can) return
    holder?.holds.add(`content ${digest}`)
    model.bytes.set(digest, given.text.length)
    if (isNew) space.blobs.set(digest, { labels: found })
  },
)

const labelBlob = step(
  'label',
  fc.record({ ns: namespaces, text: texts, labels, replace: fc.boolean() }),
  async (given, store, model) => {
    const digest = digestOfText(given.text)
    const found = dated(given.labels, model.now)
    const change = { labels: found, replace: given.replace }
    const blob = model.namespace(given.ns).blobs.get(digest)
    agree('label', await tried(store.scope(given.ns).content.update(digest, change)), blob !== undefined)
    if (blob !== undefined) blob.labels = { ...(given.replace ? {} : blob.labels), ...found }
  },
)

const deleteBlob = step(
  'delete',
  fc.record({ ns: namespaces, lease, text: texts }),
  async (given, store, model) => {
    const space = model.namespace(given.ns)
    const digest = digestOfText(given.text)
    const done = await tried(scoped(store, given).content.delete(digest))
    agree('delete', done, space.blobs.delete(digest))
    if (done && given.lease !== undefined) space.leases.get(given.lease)?.holds.delete(`content ${digest}`)
  },
)

const createImage = step(
  'image',
  fc.record({ ns: namespaces, lease, name: names, target: texts, labels }),
  async (given, store, model) => {
    const space = model.namespace(given.ns)
    const found = dated(given.labels, model.now)
    const holder = given.lease === undefined ? undefined : space.leases.get(given.lease)
    const needsLease = given.lease !== undefined && 'containerd.io/gc.expire' in found
    const can = !space.images.has(given.name) && (!needsLease || holder !== undefined)
    const image = { name: given.name, target: targetOfText(given.target), labels: found }
    agree('image', await tried(scoped(store, given).images.create(image)), can)
    if (!can) return
    if (needsLease) holder?.holds.add(`image ${given.name}`)
    space.images.set(given.name, { target: digestOfText(given.target), labels: found })
  },
)

const updateImage = step(
  'retag',
  fc.record({ ns: namespaces, name: names, target: texts, labels }),
  async (given, store, model) => {
    const found = dated(given.labels, model.now)
    const image = model.namespace(given.ns).images.get(given.name)
    const change = { target: targetOfText(given.target), labels: found, replaceLabels: true }
    agree('retag', await tried(store.scope(given.ns).images.update(given.name, change)), image !== undefined)
    if (image !== undefined) Object.assign(image, { target: digestOfText(given.target), labels: found })
  },
)

const deleteImage = step(
  'untag',
  fc.record({ ns: namespaces, lease, name: names }),
  async (given, store, model) => {
    const space = model.namespace(given.ns)
    const done = await tried(scoped(store, given).images.delete(given.name))
    agree('untag', done, space.images.delete(given.name))
    if (done && given.lease !== undefined) space.leases.get(given.lease)?.holds.delete(`image ${given.name}`)
  },
)

const createLease = step(
  'lease',
  fc.record({
    ns: namespaces,
    id: ids,
    hours: fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }),
    flat: fc.boolean(),
  }),
  async ({ ns, id, hours, flat }, store, model) => {
    const space = model.namespace(ns)
    const init = {
      id,
      ...(flat && { labels: { 'containerd.io/gc.flat': 'x' } }),
      ...(hours !== undefined && { expiresIn: hours * hour }),
    }
    agree('lease', await tried(store.scope(ns).leases.create(init)), !space.leases.has(id))
    const expires = hours === undefined ? undefined : model.now + hours * hour
    if (!space.leases.has(id)) space.leases.set(id, { expires, flat, holds: new Set() })
  },
)

const deleteLease = step(
  'unlease',
  fc.record({ ns: namespaces, id: ids }),
  async ({ ns, id }, store, model) => {
    agree('unlease', await tried(store.scope(ns).leases.delete(id)), model.namespace(ns).leases.delete(id))
  },
)

const resource = fc.oneof(
  texts.map(text => ['content', 'content', digestOfText(text)] as const),
  names.map(name => ['images', 'image', name] as const),
  refs.map(ref => ['ingests', 'ingest', ref] as const),
)

const holdResource = step(
  'hold',
  fc.record({ ns: namespaces, id: ids, resource, add: fc.boolean() }),
  async ({ ns, id, resource: [type, kind, key], add }, store, model) => {
    const { leases } = store.scope(ns)
    const found = model.namespace(ns).leases.get(id)
    const work = add
      ? leases.addResource(id, { type, id: key })
      : leases.deleteResource(id, { type, id: key })
    agree('hold', await tried(work), found !== undefined)
    if (add) found?.holds.add(`${kind} ${key}`)
    else found?.holds.delete(`${kind} ${key}`)
  },
)

const openIngest = step(
  'ingest',
  fc.record({ ns: namespaces, lease, ref: refs, text: fc.option(texts, { nil: undefined }) }),
  async ({ ns, lease, ref, text }, store, model) => {
    const space = model.namespace(ns)
    const digest = text === undefined ? undefined : digestOfText(text)
    const holder = lease === undefined ? undefined : space.leases.get(lease)
    const leased = lease === undefined || holder !== undefined
    const known = digest !== undefined && space.blobs.has(digest)
    const opened = (async () => {
      await using writer = await store.scope(ns, lease).content.writer({ ref, expected: { digest } })
      if (digest === undefined || !model.bytes.has(digest)) await writer.write(Buffer.from('.'))
    })()
    agree('ingest', await tried(opened), leased && !known)
    if (!leased) return
    holder?.holds.add(known ? `content ${digest}` : `ingest ${ref}`)
    if (known) return
    const before = space.ingests.get(ref)
    const shares = digest !== undefined && model.bytes.has(digest) ? digest : undefined
    const expires = lease === undefined ? model.now + 24 * hour : before?.expires
    space.ingests.set(ref, { expires, shares, bytes: before?.bytes || shares === undefined })
  },
)

const abortIngest = step(
  'abort',
  fc.record({ ns: namespaces, lease, ref: refs }),
  async (given, store, model) => {
    const space = model.namespace(given.ns)
    const done = await tried(scoped(store, given).content.abort(given.ref))
    agree('abort', done, space.ingests.delete(given.ref))
    if (done && given.lease !== undefined) space.leases.get(given.lease)?.holds.delete(`ingest ${given.ref}`)
  },
)

const deleteNamespace = step('unspace', namespaces, async (ns, store, model) => {
  const space = model.namespace(ns)
  const listed = model.records().some(record => record.split(' ')[1] === ns)
  const empty = space.blobs.size === 0 && space.images.size === 0
  const done = await tried(store.metadata.namespaces.delete(ns))
  if (done && !empty) throw new Error(`unspace: ${ns} was not empty`)
  if (!done && empty && listed) throw new Error(`unspace: ${ns} was empty`)
  if (done) model.namespaces.delete(ns)
})

const moveClock = step('clock', fc.integer({ min: -3, max: 40 }), async (hours, store, model) => {
  model.now += hours * hour + 1
  store.clock.now = new Date(model.now)
})

const addOrphan = step('orphan', texts, async (text, store, model) => {
  await tried(putText(store.backend, text))
  model.bytes.set(digestOfText(text), text.length)
})

/** Any step but a collection, the frequent ones more often. */
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: putBlob },
  { weight: 3, arbitrary: labelBlob },
  { weight: 1, arbitrary: deleteBlob },
  { weight: 4, arbitrary: createImage },
  { weight: 2, arbitrary: updateImage },
  { weight: 2, arbitrary: deleteImage },
  { weight: 3, arbitrary: createLease },
  { weight: 2, arbitrary: deleteLease },
  { weight: 4, arbitrary: holdResource },
  { weight: 3, arbitrary: openIngest },
  { weight: 1, arbitrary: abortIngest },
  { weight: 1, arbitrary: deleteNamespace },
  { weight: 2, arbitrary: moveClock },
  { weight: 1, arbitrary: addOrphan },
)
