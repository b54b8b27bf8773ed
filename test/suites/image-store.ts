import type { ExecutionContext, TestFn } from 'ava'
import type { ImageChange, ImageRecord, ImageStore, NewImage } from '../../src/images/types.ts'
import { recordChangeOf } from '../../src/metadata/field-path.ts'
import type { Annotations, Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { collect } from '../support/image.ts'

type Open = (t: ExecutionContext) => Promise<ImageStore>

const target = (
  text: string,
  annotations?: Annotations,
  mediaType: string = mediaTypes.ociManifest,
): Descriptor => ({
  mediaType,
  digest: digestOf(text),
  size: 10,
  ...(annotations && { annotations }),
})

const names = async (store: ImageStore, ...filters: readonly string[]): Promise<readonly string[]> =>
  (await collect(store.list(filters))).map(({ name }) => name)

/** What every store of image records must do, on the database or behind gRPC. */
export function imageStoreSuite(test: TestFn, title: string, open: Open): void {
  listSuite(test, title, open)
  changeSuite(test, title, open)
  basicSuite(test, title, open)
}

/** The cases of containerd's TestImagesList: 10 images, every second one labelled even. */
function listSuite(test: TestFn, title: string, open: Open): void {
  const names10 = Array.from({ length: 10 }, (_, at) => `image-${at}`)
  const cases: ReadonlyArray<readonly [string, readonly string[], (at: number) => boolean]> = [
    ['FullSet', [], () => true],
    ['FullSetFiltered', ['labels.odd', 'labels.even'], () => true],
    ['Even', ['labels.even'], at => at % 2 === 0],
    ['Odd', ['labels.odd'], at => at % 2 === 1],
    ['ByName', ['name==image-0'], at => at === 0],
    ['ByNameEven', ['labels.even,name==image-2'], at => at === 2],
    ['ByNameOr', ['name==image-1', 'name==image-7'], at => at === 1 || at === 7],
    ['ByMediaType', ['target.mediatype~=application/vnd.*'], () => true],
    ['ByOtherMediaType', ['target.mediatype==application/x-none'], () => false],
    ['ByDigest', [`target.digest==${digestOf('image-3')}`], at => at === 3],
    ['ByLabelValue', ['labels."containerd.io/number"==4'], at => at === 4],
    ['ByAnnotation', ['annotations.third==yes'], at => at % 3 === 0],
    ['NameAndLabelThatDisagree', ['labels.odd,name==image-2'], () => false],
  ]
  for (const [name, filters, wanted] of cases) {
    test(`${title}: list() ${name}`, async t => {
      const store = await open(t)
      for (const [at, name] of names10.entries()) {
        const labels = { [at % 2 === 0 ? 'even' : 'odd']: 'true', 'containerd.io/number': String(at) }
        await store.create({
          name,
          labels,
          target: target(name, at % 3 === 0 ? { third: 'yes' } : undefined),
        })
      }
      t.deepEqual(
        await names(store, ...filters),
        names10.filter((_, at) => wanted(at)),
      )
      for (const name of names10) {
        await store.delete(name)
        await t.throwsAsync(store.delete(name), { code: 'NOT_FOUND' })
      }
      t.deepEqual(await names(store), [])
    })
  }

  test(`${title}: list() is in order of the names' bytes`, async t => {
    const store = await open(t)
    const sorted = ['A', 'B:1', 'a', 'a!', 'a/b', 'a:1', 'b', 'z~', 'é', '中', '😀']
    for (const name of sorted.toReversed()) await store.create({ name, target: target(name) })
    t.deepEqual(await names(store), sorted)
  })

  test(`${title}: list() refuses a filter that cannot be read by the call itself`, async t => {
    const store = await open(t)
    t.throws(() => store.list(['name==']), { code: 'INVALID_ARGUMENT' })
  })
}

/** One case of containerd's TestImagesCreateUpdateDelete. */
interface ChangeCase {
  readonly name: string
  readonly original: Partial<NewImage>
  /** What gRPC would send: values, and the field mask that picks from them. */
  readonly input: Partial<NewImage>
  readonly paths: readonly string[]
  readonly expected?: { readonly labels: object; readonly target: Descriptor }
  readonly code?: string
}

const manifest = (annotations?: Annotations): Descriptor => target('original', annotations)
const other = (annotations?: Annotations): Descriptor => target('other', annotations, mediaTypes.ociIndex)

const changeCases: readonly ChangeCase[] = [
  {
    name: 'Touch',
    original: { labels: { foo: 'bar' } },
    input: { labels: { foo: 'bar' }, target: manifest() },
    paths: [],
    expected: { labels: { foo: 'bar' }, target: manifest() },
  },
  { name: 'NoTarget', original: {}, input: {}, paths: [], code: 'INVALID_ARGUMENT' },
  {
    name: 'ReplaceLabels',
    original: { labels: { foo: 'bar', baz: 'boo' } },
    input: { labels: { for: 'bar', boo: 'boo' }, target: manifest() },
    paths: [],
    expected: { labels: { for: 'bar', boo: 'boo' }, target: manifest() },
  },
  {
    name: 'ReplaceLabelsFieldPath',
    original: { labels: { foo: 'bar', baz: 'boo' } },
    input: { labels: { for: 'bar', boo: 'boo' }, target: other() },
    paths: ['labels'],
    expected: { labels: { for: 'bar', boo: 'boo' }, target: manifest() },
  },
  {
    name: 'ReplaceLabelsAnnotationsFieldPath',
    original: { labels: { foo: 'bar' }, target: manifest({ alpha: 'beta' }) },
    input: { labels: { for: 'bar' }, target: other({ gamma: 'delta' }) },
    paths: ['annotations', 'labels'],
    expected: { labels: { for: 'bar' }, target: manifest({ gamma: 'delta' }) },
  },
  {
    name: 'ReplaceLabel',
    original: { labels: { foo: 'bar', baz: 'boo' } },
    input: { labels: { foo: 'baz', baz: 'bunk' }, target: other() },
    paths: ['labels.foo'],
    expected: { labels: { foo: 'baz', baz: 'boo' }, target: manifest() },
  },
  {
    name: 'RemoveLabelThatTheInputLacks',
    original: { labels: { foo: 'bar', baz: 'boo' } },
    input: { labels: {} },
    paths: ['labels.foo'],
    expected: { labels: { baz: 'boo' }, target: manifest() },
  },
  {
    name: 'EmptyLabelValueRemoves',
    original: { labels: { foo: 'bar', baz: 'boo' } },
    input: { labels: { foo: '' } },
    paths: ['labels.foo'],
    expected: { labels: { baz: 'boo' }, target: manifest() },
  },
  {
    name: 'NoPathsWipesLabels',
    original: { labels: { foo: 'bar' } },
    input: { target: manifest() },
    paths: [],
    expected: { labels: {}, target: manifest() },
  },
  {
    name: 'ReplaceAnnotation',
    original: { target: manifest({ foo: 'bar', baz: 'boo' }) },
    input: { target: other({ foo: 'baz', baz: 'bunk' }) },
    paths: ['annotations.foo'],
    expected: { labels: {}, target: manifest({ foo: 'baz', baz: 'boo' }) },
  },
  {
    name: 'RemoveAnnotationThatTheInputLacks',
    original: { target: manifest({ foo: 'bar', baz: 'boo' }) },
    input: { target: other() },
    paths: ['annotations.foo'],
    expected: { labels: {}, target: manifest({ baz: 'boo' }) },
  },
  {
    name: 'RemoveLastAnnotation',
    original: { target: manifest({ foo: 'bar' }) },
    input: { target: other() },
    paths: ['annotations'],
    expected: { labels: {}, target: manifest() },
  },
  {
    name: 'ReplaceTarget',
    original: { labels: { foo: 'bar' } },
    input: { labels: { foo: 'bar' }, target: other() },
    paths: [],
    expected: { labels: { foo: 'bar' }, target: other() },
  },
  {
    name: 'ReplaceTargetTypeAndAnnotations',
    original: { target: manifest({ foo: 'bar' }) },
    input: { target: other({ baz: 'boo' }) },
    paths: [],
    expected: { labels: {}, target: other({ baz: 'boo' }) },
  },
  {
    name: 'ReplaceTargetFieldpath',
    original: { labels: { foo: 'bar' }, target: manifest({ foo: 'bar' }) },
    input: { labels: { foo: 'baz' }, target: other({ baz: 'boo' }) },
    paths: ['target'],
    expected: { labels: { foo: 'bar' }, target: other({ baz: 'boo' }) },
  },
  {
    name: 'EmptySize',
    original: {},
    input: { target: { ...manifest(), size: 0 } },
    paths: [],
    code: 'INVALID_ARGUMENT',
  },
  {
    name: 'EmptySizeFieldPath',
    original: {},
    input: { target: { ...manifest(), size: 0 } },
    paths: ['target'],
    code: 'INVALID_ARGUMENT',
  },
  {
    name: 'EmptyMediaType',
    original: {},
    input: { target: { ...manifest(), mediaType: '' } },
    paths: ['target'],
    code: 'INVALID_ARGUMENT',
  },
  {
    name: 'LabelsOverTheLimit',
    original: {},
    input: { labels: { foo: 'x'.repeat(4094) } },
    paths: ['labels.foo'],
    code: 'INVALID_ARGUMENT',
  },
  { name: 'TryUpdateNameFail', original: {}, input: {}, paths: ['name'], code: 'INVALID_ARGUMENT' },
]

function changeSuite(test: TestFn, title: string, open: Open): void {
  for (const { name, original, input, paths, expected, code } of changeCases) {
    test(`${title}: update() ${name}`, async t => {
      const store = await open(t)
      const created = await store.create({ name, target: manifest(), ...original })
      t.deepEqual(created.updatedAt, created.createdAt)
      const update = async () => store.update(name, recordChangeOf(paths, input))
      if (expected === undefined) {
        await t.throwsAsync(update(), { ...(code && { code }) })
        t.deepEqual(await store.get(name), created)
        return
      }
      const updated = await update()
      t.like(updated, { name, ...expected })
      t.deepEqual(updated.target, expected.target)
      t.deepEqual(updated.labels, { ...expected.labels })
      t.deepEqual(updated.createdAt, created.createdAt)
      t.true(updated.updatedAt >= created.createdAt)
      t.deepEqual(await store.get(name), updated)
      await store.delete(name)
      await t.throwsAsync(store.get(name), { code: 'NOT_FOUND' })
    })
  }

  const refused: ReadonlyArray<readonly [string, Partial<NewImage>]> = [
    ['EmptySizeOnCreate', { target: { ...manifest(), size: 0 } }],
    ['EmptySizeOnCreate with labels', { target: { ...manifest(), size: 0 }, labels: { foo: 'bar' } }],
    ['a negative size', { target: { ...manifest(), size: -1 } }],
    ['an empty media type', { target: { ...manifest(), mediaType: '' } }],
    ['an empty name', { name: '' }],
    ['a label over 4096 bytes', { labels: { foo: 'x'.repeat(4094) } }],
    ['a label over 4096 bytes of UTF-8', { labels: { foo: 'é'.repeat(2047) } }],
  ]
  for (const [what, init] of refused) {
    test(`${title}: create() refuses ${what}`, async t => {
      const store = await open(t)
      await t.throwsAsync(store.create({ name: 'image', target: manifest(), ...init }), {
        code: 'INVALID_ARGUMENT',
      })
      t.deepEqual(await names(store), [])
    })
  }
}

function basicSuite(test: TestFn, title: string, open: Open): void {
  test(`${title}: every field of a target is kept`, async t => {
    const store = await open(t)
    const whole: Descriptor = {
      ...target('abc', { a: 'b' }),
      urls: ['https://example.com/x'],
      data: 'YWJj',
      platform: { os: 'linux', architecture: 'arm', variant: 'v7', osVersion: '1', osFeatures: ['x'] },
      artifactType: 'application/vnd.example',
    }
    t.deepEqual((await store.create({ name: 'a', target: whole })).target, whole)
    t.deepEqual((await store.get('a')).target, whole)
    const annotated = { ...whole, annotations: { a: 'b', c: 'd' } }
    t.deepEqual((await store.update('a', { annotations: { c: 'd' } })).target, annotated)
    const other = { ...whole, platform: { os: 'linux', architecture: 'amd64' } }
    t.deepEqual((await store.update('a', { target: other })).target, other)
    t.deepEqual(
      (await collect(store.list())).map(image => image.target),
      [other],
    )
    const bare = target('abc')
    t.deepEqual((await store.update('a', { target: bare })).target, bare)
  })

  test(`${title}: create() gives the record, as get() and list() do`, async t => {
    const store = await open(t)
    const created = await store.create({
      name: 'docker.io/library/a:1',
      target: manifest({ a: 'b' }),
      labels: { c: 'd' },
    })
    t.like(created, { name: 'docker.io/library/a:1', labels: { c: 'd' } })
    t.deepEqual(created.target, manifest({ a: 'b' }))
    t.deepEqual(await store.get('docker.io/library/a:1'), created)
    t.deepEqual(await collect(store.list()), [created])
  })

  test(`${title}: create() takes a label of exactly 4096 bytes`, async t => {
    const store = await open(t)
    const created = await store.create({ name: 'a', target: manifest(), labels: { foo: 'x'.repeat(4093) } })
    t.is(created.labels.foo?.length, 4093)
  })

  test(`${title}: create() does not store empty labels`, async t => {
    const store = await open(t)
    await store.create({ name: 'a', target: manifest(), labels: { foo: '', bar: 'x' } })
    t.deepEqual((await store.get('a')).labels, { bar: 'x' })
  })

  test(`${title}: create() of a name that is there is ALREADY_EXISTS and changes nothing`, async t => {
    const store = await open(t)
    const created = await store.create({ name: 'a', target: manifest() })
    await t.throwsAsync(store.create({ name: 'a', target: other(), labels: { x: 'y' } }), {
      code: 'ALREADY_EXISTS',
    })
    t.deepEqual(await store.get('a'), created)
  })

  test(`${title}: create() of one name many times at once succeeds once`, async t => {
    const store = await open(t)
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, () => store.create({ name: 'a', target: manifest() })),
    )
    t.is(results.filter(({ status }) => status === 'fulfilled').length, 1)
  })

  test(`${title}: update() many times at once loses no label`, async t => {
    const store = await open(t)
    await store.create({ name: 'a', target: manifest() })
    const keys = Array.from({ length: 20 }, (_, at) => `key-${at}`)
    await Promise.all(keys.map(key => store.update('a', { labels: { [key]: 'x' } })))
    t.deepEqual(Object.keys((await store.get('a')).labels).sort(), keys.toSorted())
  })

  test(`${title}: any text is a name, and no other`, async t => {
    const store = await open(t)
    const texts = [
      'a',
      'a/b',
      'a b',
      'a%2Fb',
      '../a',
      'A',
      '"',
      '\n',
      'sha256:x',
      '__proto__',
      'x'.repeat(2000),
    ]
    for (const name of texts) await store.create({ name, target: target(name) })
    for (const name of texts) t.is((await store.get(name)).target.digest, digestOf(name))
    t.is((await names(store)).length, texts.length)
  })

  test(`${title}: labels and annotations may have any key`, async t => {
    const store = await open(t)
    const odd = Object.fromEntries(['__proto__', 'constructor', 'a.b/c', ' '].map(key => [key, 'x']))
    await store.create({ name: 'a', target: manifest(odd), labels: odd })
    const updated = await store.update('a', { labels: { more: 'y' }, annotations: { more: 'y' } })
    t.deepEqual(Object.keys(updated.labels).sort(), [...Object.keys(odd), 'more'].sort())
    t.deepEqual(Object.keys(updated.target.annotations ?? {}).sort(), [...Object.keys(odd), 'more'].sort())
  })

  const missing: ReadonlyArray<readonly [string, (store: ImageStore) => Promise<unknown>]> = [
    ['get()', store => store.get('a')],
    ['get() of no name', store => store.get('')],
    ['update()', store => store.update('a', { labels: { x: 'y' } })],
    ['delete()', store => store.delete('a')],
    ['delete() of no name', store => store.delete('')],
    ['delete() with a target', store => store.delete('a', { target: manifest().digest })],
  ]
  for (const [what, work] of missing) {
    test(`${title}: ${what} is NOT_FOUND when there is no such image`, async t => {
      const store = await open(t)
      await store.create({ name: 'ab', target: manifest() })
      await t.throwsAsync(work(store), { code: 'NOT_FOUND' })
    })
  }

  test(`${title}: update() without a name is INVALID_ARGUMENT`, async t => {
    const store = await open(t)
    await t.throwsAsync(store.update('', { labels: {} }), { code: 'INVALID_ARGUMENT' })
  })

  const changes: ReadonlyArray<readonly [string, ImageChange, object, Descriptor]> = [
    ['nothing', {}, { foo: 'bar' }, manifest({ a: 'b' })],
    ['merged labels', { labels: { baz: 'boo' } }, { foo: 'bar', baz: 'boo' }, manifest({ a: 'b' })],
    ['a label removed by null', { labels: { foo: null } }, {}, manifest({ a: 'b' })],
    ['a label removed by an empty value', { labels: { foo: '' } }, {}, manifest({ a: 'b' })],
    ['a label removed that is not there', { labels: { x: null } }, { foo: 'bar' }, manifest({ a: 'b' })],
    ['all labels', { labels: { x: 'y' }, replaceLabels: true }, { x: 'y' }, manifest({ a: 'b' })],
    ['merged annotations', { annotations: { c: 'd' } }, { foo: 'bar' }, manifest({ a: 'b', c: 'd' })],
    ['an annotation removed', { annotations: { a: null } }, { foo: 'bar' }, manifest()],
    [
      'all annotations',
      { annotations: { x: 'y' }, replaceAnnotations: true },
      { foo: 'bar' },
      manifest({ x: 'y' }),
    ],
    ['the target, with its annotations', { target: other({ e: 'f' }) }, { foo: 'bar' }, other({ e: 'f' })],
    ['the target, without annotations', { target: other() }, { foo: 'bar' }, other()],
    [
      'target and annotations merged',
      { target: other({ e: 'f' }), annotations: { g: 'h' } },
      { foo: 'bar' },
      other({ e: 'f', g: 'h' }),
    ],
    [
      'everything',
      { target: other(), labels: {}, replaceLabels: true, annotations: {}, replaceAnnotations: true },
      {},
      other(),
    ],
    [
      'neither when replacing what is not given',
      { replaceLabels: true, replaceAnnotations: true },
      { foo: 'bar' },
      manifest({ a: 'b' }),
    ],
  ]
  for (const [what, change, labels, expected] of changes) {
    test(`${title}: update() changes ${what}`, async t => {
      const store = await open(t)
      await store.create({ name: 'a', target: manifest({ a: 'b' }), labels: { foo: 'bar' } })
      await store.update('a', change)
      const found = await store.get('a')
      t.deepEqual(found.labels, { ...labels })
      t.deepEqual(found.target, expected)
    })
  }

  test(`${title}: delete() with a target needs the image to point there`, async t => {
    const store = await open(t)
    await store.create({ name: 'a', target: manifest() })
    await t.throwsAsync(store.delete('a', { target: other().digest }), { code: 'NOT_FOUND' })
    t.deepEqual(await names(store), ['a'])
    await store.delete('a', { target: manifest().digest })
    t.deepEqual(await names(store), [])
  })

  test(`${title}: delete() with a condition asks the record as it is, and leaves it when that says no`, async t => {
    const store = await open(t)
    await store.create({ name: 'a', target: manifest(), labels: { keep: 'yes' } })
    const onlyIf = ({ labels }: ImageRecord): boolean => labels.keep === undefined
    await t.throwsAsync(store.delete('a', { onlyIf }), { code: 'ABORTED' })
    t.deepEqual(await names(store), ['a'])
    await store.update('a', { labels: { keep: null } })
    await store.delete('a', { onlyIf })
    t.deepEqual(await names(store), [])
  })

  test(`${title}: a deleted name can be created again`, async t => {
    const store = await open(t)
    await store.create({ name: 'a', target: manifest(), labels: { foo: 'bar' } })
    await store.delete('a')
    await store.create({ name: 'a', target: other() })
    t.deepEqual((await store.get('a')).labels, {})
  })

  test(`${title}: nothing happens after the signal has fired`, async t => {
    const store = await open(t)
    await store.create({ name: 'a', target: manifest() })
    const signal = AbortSignal.abort(new Error('gone'))
    await t.throwsAsync(store.get('a', { signal }), { message: 'gone' })
    await t.throwsAsync(store.create({ name: 'b', target: manifest() }, { signal }), { message: 'gone' })
    await t.throwsAsync(store.update('a', { labels: { x: 'y' } }, { signal }), { message: 'gone' })
    await t.throwsAsync(store.delete('a', { signal }), { message: 'gone' })
    await t.throwsAsync(collect(store.list([], { signal })), { message: 'gone' })
    t.deepEqual(
      (await collect(store.list())).map(({ name, labels }) => [name, labels]),
      [['a', {}]],
    )
  })
}
