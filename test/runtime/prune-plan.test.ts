import test from 'ava'
import fc from 'fast-check'
import { criPinLabel, pinLabel, pinOf } from '../../src/images/pin.ts'
import type { ImageRecord } from '../../src/images/types.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import type { PruneFacts } from '../../src/runtime/prune-caps.ts'
import { type PrunePlan, planPrune } from '../../src/runtime/prune-plan.ts'
import { type PruneRules, repositoryOf } from '../../src/runtime/prune-rules.ts'
import { Reach, type Vertex } from '../../src/runtime/reach-graph.ts'

const day = 24 * 60 * 60 * 1000
const now = new Date('2026-06-01T00:00:00Z')

/** What a test says of an image. */
interface Said {
  readonly name: string
  /** Blobs by name; images with the same list have the same target. */
  readonly blobs: string
  /** Days since it was changed. */
  readonly age?: number
  /** Days since it was created; default: since it was changed. */
  readonly created?: number
  readonly labels?: Readonly<Record<string, string>>
}

const sizeOf = (blob: string): number => Number(/\d+/.exec(blob)?.[0] ?? 1)

/** Facts out of images whose blobs are `a1 b20`: a letter and a size. `held` are kept by something that is no image. */
function factsOf(said: readonly Said[], held = '', extra: Partial<PruneFacts> = {}): PruneFacts {
  const words = (text: string): string[] => text.split(' ').filter(Boolean)
  const blobs = [...new Set([...said.flatMap(({ blobs }) => words(blobs)), ...words(held), 'garbage1000'])]
  const at = (blob: string): number => blobs.indexOf(blob)
  const files: Vertex[] = blobs.map(blob => ({
    root: false,
    below: [],
    file: { bytes: sizeOf(blob), allocated: sizeOf(blob) * 10 },
  }))
  const records: Vertex[] = said.map(({ blobs }) => ({ root: true, below: words(blobs).map(at) }))
  const images = said.map(({ name, blobs, age = 0, created = age, labels = {} }): ImageRecord => {
    const [createdAt, updatedAt] = [created, age].map(days => new Date(now.getTime() - days * day))
    if (!createdAt || !updatedAt) throw new Error('no dates')
    const target = { mediaType: mediaTypes.ociManifest, digest: digestOf(blobs), size: 1 }
    return { name, target, labels, createdAt, updatedAt }
  })
  const verticesOf = (image: ImageRecord): readonly number[] => [files.length + images.indexOf(image)]
  const holder: Vertex = { root: true, below: words(held).map(at) }
  const graph = [...files, ...records, holder]
  return { images, graph, verticesOf, overhead: { bytes: 0, allocated: 0 }, now, ...extra }
}

const deleted = (plan: PrunePlan): readonly string[] => plan.deletions.map(({ name }) => name)

const plans = test.macro<[string, readonly Said[], PruneRules, readonly string[]]>({
  exec(t, _, said, rules, expected) {
    const plan = planPrune(factsOf(said), rules)
    t.deepEqual(deleted(plan), expected)
    t.deepEqual(
      plan.decisions
        .filter(({ action }) => action === 'delete')
        .map(({ image }) => image.name)
        .toSorted(),
      expected.toSorted(),
    )
    t.is(plan.decisions.length, said.length)
  },
  title: (_, what) => `planPrune() ${what}`,
})

const pinned = { [pinLabel]: 'true' }
const abc: readonly Said[] = [
  { name: 'r/a:1', blobs: 'x10 a1', age: 3, labels: { team: 'red' } },
  { name: 'r/a:2', blobs: 'x10 b2', age: 2, labels: { team: 'blue' } },
  { name: 'r/a:3', blobs: 'x10 c4', age: 1, labels: pinned },
]

test(plans, 'with all deletes everything but pins, oldest first', abc, { all: true }, ['r/a:1', 'r/a:2'])
test(plans, 'deletes what a filter matches', abc, { filters: ['labels.team==blue'] }, ['r/a:2'])
test(plans, 'takes several filters as or', abc, { filters: ['labels.team==blue', 'name~=":1$"'] }, [
  'r/a:1',
  'r/a:2',
])
test(plans, 'keeps a pinned image that a filter matches', abc, { filters: ['name=="r/a:3"'] }, [])
test(plans, 'deletes what is older', abc, { olderThan: 2.5 * day }, ['r/a:1'])
test(plans, 'does not take the very age as older', abc, { olderThan: 3 * day }, [])
test(plans, 'takes filter and age as and', abc, { filters: ['labels.team'], olderThan: 2.5 * day }, ['r/a:1'])
test(plans, 'with all and an age deletes by age', abc, { all: true, olderThan: 2.5 * day }, ['r/a:1'])
test(
  plans,
  'honours the pin of CRI',
  [{ name: 'a', blobs: 'a1', labels: { [criPinLabel]: 'pinned' } }],
  { all: true },
  [],
)

const versions: readonly Said[] = [
  { name: 'q/b:1', blobs: 'e1', age: 50 },
  { name: 'r/a:1', blobs: 'a1', age: 40 },
  { name: 'r/a:2', blobs: 'b1', age: 30 },
  { name: 'r/a:3', blobs: 'c1', age: 20 },
  { name: 'r/a:latest', blobs: 'c1', age: 20 },
  { name: `r/a@${digestOf('b1')}`, blobs: 'b1', age: 30 },
  { name: digestOf('a1'), blobs: 'a1', age: 40 },
  { name: digestOf('b1'), blobs: 'b1', age: 30 },
  { name: 'no reference', blobs: 'f1', age: 90 },
]

test(plans, 'with keepLast alone keeps the newest versions of each repository', versions, { keepLast: 2 }, [
  'r/a:1',
  digestOf('a1'),
])
test(plans, 'counts names of one target as one version', versions, { keepLast: 1 }, [
  'r/a:1',
  digestOf('a1'),
  'r/a:2',
  `r/a@${digestOf('b1')}`,
  digestOf('b1'),
])
test(plans, 'lets keepLast protect from an age', versions, { keepLast: 3, olderThan: 1 }, [])
test(plans, 'lets keepLast protect from all', versions, { keepLast: 2, all: true }, ['r/a:1', digestOf('a1')])
test(plans, 'does not delete by keepLast while a cap is met', versions, { keepLast: 1, maxBytes: 100 }, [])
test(plans, 'lets keepLast protect from a cap', versions, { keepLast: 2, maxBytes: 0 }, [
  'r/a:1',
  digestOf('a1'),
])

test(
  plans,
  'does not let a label on an old version push the newest out of keepLast',
  [
    { name: 'r/a:1', blobs: 'a1', age: 0, created: 9 },
    { name: 'r/a:2', blobs: 'b1', age: 5 },
    { name: 'r/a:3', blobs: 'c1', age: 3 },
  ],
  { keepLast: 1 },
  ['r/a:2'],
)

test(plans, 'deletes nothing while the cap is met, garbage not counted', abc, { maxBytes: 17 }, [])
test(plans, 'deletes the oldest until the cap is met', abc, { maxBytes: 16 }, ['r/a:1'])
test(plans, 'deletes on until the cap is met', abc, { maxBytes: 14 }, ['r/a:1', 'r/a:2'])
test(plans, 'takes a cap on top of a filter', abc, { filters: ['labels.team==blue'], maxBytes: 14 }, [
  'r/a:2',
  'r/a:1',
])
test(
  plans,
  'takes the names of a target together, as old as the newest',
  [
    { name: 'old', blobs: 'a5', age: 9 },
    { name: 'b', blobs: 'b5', age: 5 },
    { name: 'new', blobs: 'a5', age: 1 },
  ],
  { maxBytes: 5 },
  ['b'],
)
test(
  plans,
  'does not delete by a cap what frees nothing, for a pinned name keeps it',
  [
    { name: 'old', blobs: 'a5', age: 9 },
    { name: 'b', blobs: 'b5', age: 5 },
    { name: 'new', blobs: 'a5', age: 1, labels: pinned },
  ],
  { maxBytes: 0 },
  ['b'],
)

test('planPrune() says for each image which rule decided, and why', t => {
  const { decisions } = planPrune(factsOf(abc), { olderThan: 2.5 * day })
  t.deepEqual(
    decisions.map(({ image, ...rest }) => [image.name, rest]),
    [
      ['r/a:1', { action: 'delete', rule: 'older-than', reason: 'last changed 2026-05-29T00:00:00.000Z' }],
      [
        'r/a:2',
        {
          action: 'keep',
          rule: 'older-than',
          reason: 'not old enough: last changed 2026-05-30T00:00:00.000Z',
        },
      ],
      ['r/a:3', { action: 'keep', rule: 'pin', reason: 'pinned by the label orlop.io/pinned' }],
    ],
  )
})

test('planPrune() says what comes free of all deletions together, and what goes anyway', t => {
  const plan = planPrune(factsOf(abc, 'a1'), { all: true })
  t.is(plan.before.bytes, 1017)
  t.is(plan.garbage.bytes, 1000)
  t.is(plan.freed.bytes, 2)
  t.is(plan.after.bytes, 15)
})

test('planPrune() tells of a cap that cannot be met, by how much, and what keeps the rest', t => {
  const facts = factsOf([...abc, { name: 'k', blobs: 'k100', age: 99 }], 'h7')
  const { missed, deletions } = planPrune(facts, { maxBytes: 10, keepLast: 1 })
  t.is(deletions.length, 2)
  t.deepEqual(missed, [
    {
      rule: 'max-bytes',
      missing: 7 + 14 + 100 - 10,
      left: { held: 7, pinned: 14, keepLast: 100, others: 0 },
    },
  ])
})

test('planPrune() counts blocks, and what a collection frees, for room on the device', t => {
  // Garbage frees 10 000 of blocks, the first image 10, the second 20.
  const said = abc.slice(0, 2)
  const plan = (minFree: PruneRules['minFree']) => {
    const { deletions, missed } = planPrune(factsOf(said, '', { device: { free: 500, size: 20_000 } }), {
      minFree,
    })
    return [deletions.length, missed.map(({ rule, missing }) => [rule, missing])]
  }
  t.deepEqual(plan({ bytes: 10_500 }), [0, []])
  t.deepEqual(plan({ bytes: 10_501 }), [1, []])
  t.deepEqual(plan({ bytes: 10_511 }), [2, []])
  t.deepEqual(plan({ part: 0.525 }), [0, []])
  t.deepEqual(plan({ part: 0.526 }), [2, []])
  t.deepEqual(plan({ part: 1 }), [2, [['min-free', 20_000 - 10_630]]])
})

const refuses = test.macro({
  exec(t, rules: PruneRules, message: RegExp) {
    t.throws(() => planPrune(factsOf(abc), rules), { code: 'INVALID_ARGUMENT', message })
  },
  title: (_, rules) => `planPrune() refuses ${JSON.stringify(rules)}`,
})

test(refuses, {}, /no rule was given, so nothing is deleted/)
test(refuses, { filters: [] }, /no rule/)
test(refuses, { all: false }, /no rule/)
test(refuses, { keepLast: 0 }, /keep-last must be 1 or more/)
test(refuses, { maxBytes: -1 }, /max-bytes/)
test(refuses, { olderThan: Number.NaN }, /older-than/)
test(refuses, { minFree: { part: 1.01 } }, /100% or less/)
test(refuses, { minFree: { bytes: -1 } }, /min-free/)
test(refuses, { filters: ['name='] }, /filters: parse error/)

const repositories = test.macro({
  exec(t, name: string, repository: string | undefined) {
    t.is(repositoryOf(name), repository)
  },
  title: (_, name) => `repositoryOf() knows that of ${name}`,
})

test(repositories, 'alpine', 'docker.io/library/alpine')
test(repositories, 'docker.io/library/alpine:3.20', 'docker.io/library/alpine')
test(repositories, `ghcr.io/a/b@${digestOf('x')}`, 'ghcr.io/a/b')
test(repositories, 'localhost:5000/a:1', 'localhost:5000/a')
test(repositories, digestOf('x'), undefined)
test(repositories, 'Not A Reference', 'Not A Reference')

const said: fc.Arbitrary<readonly Said[]> = fc
  .array(
    fc.record({
      name: fc.tuple(fc.constantFrom('r/a', 'r/b', 'q/c'), fc.nat(9)).map(([name, tag]) => `${name}:${tag}`),
      blobs: fc
        .uniqueArray(fc.constantFrom('a1', 'b2', 'c4', 'd8', 'e16', 'f32'), { minLength: 1, maxLength: 4 })
        .map(list => list.join(' ')),
      age: fc.nat(6),
      labels: fc.constantFrom({}, {}, {}, pinned, { [criPinLabel]: 'pinned' }),
    }),
    { maxLength: 12 },
  )
  .map(list => [...new Map(list.map(one => [one.name, one])).values()])

const rules: fc.Arbitrary<PruneRules> = fc
  .record(
    {
      all: fc.constant(true),
      olderThan: fc.nat(6).map(days => days * day),
      keepLast: fc.integer({ min: 1, max: 3 }),
      maxBytes: fc.nat(64),
      minFree: fc.nat(1200).map(bytes => ({ bytes: bytes * 10 })),
      filters: fc.constant(['name~="^r/"']),
    },
    { requiredKeys: [] },
  )
  .filter(given => Object.keys(given).length > 0)

const held = fc.constantFrom('', 'a1 f32')
const device = { free: 100, size: 100_000 }

test('planPrune() never chooses a pinned image, whatever the rules', t => {
  fc.assert(
    fc.property(said, rules, held, (images, given, other) => {
      const { deletions } = planPrune(factsOf(images, other, { device }), given)
      t.true(deletions.every(image => pinOf(image) === undefined))
    }),
    { numRuns: 500 },
  )
})

test('planPrune() leaves of each repository the newest names, whatever the other rules', t => {
  fc.assert(
    fc.property(said, rules, fc.integer({ min: 1, max: 3 }), (images, given, keepLast) => {
      const { decisions, deletions } = planPrune(factsOf(images, '', { device }), { ...given, keepLast })
      for (const gone of deletions) {
        const stays = decisions.filter(
          ({ image, action }) =>
            action === 'keep' &&
            repositoryOf(image.name) === repositoryOf(gone.name) &&
            image.updatedAt >= gone.updatedAt,
        )
        t.true(new Set(stays.map(({ image }) => image.target.digest)).size >= keepLast)
      }
    }),
    { numRuns: 500 },
  )
})

test('planPrune() meets its caps, or says by how much it does not and has chosen all that frees anything', t => {
  fc.assert(
    fc.property(said, rules, held, (images, given, other) => {
      const facts = factsOf(images, other, { device })
      const { after, before, missed, decisions, deletions } = planPrune(facts, given)
      const { maxBytes, minFree } = given
      const missing = new Map(missed.map(one => [one.rule, one.missing]))
      if (maxBytes !== undefined) t.is(Math.max(0, after.bytes - maxBytes), missing.get('max-bytes') ?? 0)
      if (minFree !== undefined && 'bytes' in minFree) {
        const free = device.free + before.allocated - after.allocated
        t.is(Math.max(0, minFree.bytes - free), missing.get('min-free') ?? 0)
      }
      if (missed.length === 0) return
      const kept = decisions.filter(
        ({ action, rule }) => action === 'keep' && rule !== 'pin' && rule !== 'keep-last',
      )
      const gone = [...deletions, ...kept.map(({ image }) => image)].flatMap(facts.verticesOf)
      t.is(new Reach(facts.graph, gone).fromRoots().kept.bytes, after.bytes)
    }),
    { numRuns: 500 },
  )
})

test('planPrune() chooses the same and more for a tighter cap', t => {
  fc.assert(
    fc.property(said, rules, held, fc.nat(64), fc.nat(64), (images, given, other, one, two) => {
      const plan = (maxBytes: number) =>
        deleted(planPrune(factsOf(images, other, { device }), { ...given, maxBytes }))
      const tight = new Set(plan(Math.min(one, two)))
      t.true(plan(Math.max(one, two)).every(name => tight.has(name)))
    }),
    { numRuns: 500 },
  )
})

test('planPrune() adds up: what was there is garbage, freed, or there after', t => {
  fc.assert(
    fc.property(said, rules, held, (images, given, other) => {
      const { before, garbage, freed, after } = planPrune(factsOf(images, other, { device }), given)
      t.is(before.bytes, garbage.bytes + freed.bytes + after.bytes)
      t.is(before.allocated, garbage.allocated + freed.allocated + after.allocated)
    }),
    { numRuns: 500 },
  )
})
