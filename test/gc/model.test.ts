import process from 'node:process'
import test from 'ava'
import fc from 'fast-check'
import { bytesIn, type CollectedStore, collectedStore, recordsIn } from '../support/collected.ts'
import { Model } from '../support/gc-model.ts'
import { anyStep } from '../support/gc-steps.ts'

/** Seconds; set ORLOP_MODEL_SECONDS to run longer, and ORLOP_MODEL_SEED to run one history set again. */
const seconds = Number(process.env.ORLOP_MODEL_SECONDS ?? 15)
const seed = Number(process.env.ORLOP_MODEL_SEED ?? Date.now() % 2 ** 31)

/** Steps between collections. */
const stretch = fc.array(anyStep, { minLength: 1, maxLength: 60, size: 'max' })
const history = fc.array(stretch, { minLength: 1, maxLength: 12, size: 'max' })

test('collect() and plan() agree with a model of the documents over random histories', async t => {
  t.timeout((seconds + 60) * 1000)
  t.log(`ORLOP_MODEL_SEED=${seed}`)
  let steps = 0
  await fc.assert(
    fc.asyncProperty(history, async stretches => {
      const later: Array<() => void | Promise<void>> = []
      const store = collectedStore({ teardown: work => void later.push(work) })
      const model = new Model()
      model.now = store.clock.now.getTime()
      for (const stretch of stretches) {
        for (const step of stretch) await step.run(store, model)
        steps += stretch.length
        await collectBoth(store, model)
      }
      for (const work of later) await work()
    }),
    { seed, numRuns: 1_000_000, interruptAfterTimeLimit: seconds * 1000, includeErrorInReport: true },
  )
  t.log(`${steps} steps`)
  t.true(steps > 1000)
})

/** Plans, collects, and compares: what was planned with what was done, and the store with the model. */
async function collectBoth(store: CollectedStore, model: Model): Promise<void> {
  const plan = await store.collector.plan()
  const removed: string[] = []
  const done = await store.collector.collect({
    onRemoved: ({ kind, namespace, key }) => {
      if (namespace !== undefined) removed.push(`${kind} ${namespace} ${key}`)
    },
  })
  model.collect()
  same('records', await recordsIn(store), model.records())
  const bytes = await bytesIn(store)
  same('blobs', bytes.filter(isBlob), [...model.bytes.keys()].sort())
  same('ingests', [String(bytes.filter(name => !isBlob(name)).length)], [String(model.openIngests())])
  const planned = plan.items.filter(({ namespace }) => namespace !== undefined)
  same(
    'plan',
    planned.map(({ kind, namespace, key }) => `${kind} ${namespace} ${key}`).sort(),
    removed.sort(),
  )
  same('bytes', [String(plan.bytes)], [String(done.bytes)])
}

const isBlob = (name: string): boolean => name.startsWith('sha256:')

function same(what: string, store: readonly string[], model: readonly string[]): void {
  if (store.join('\n') === model.join('\n')) return
  throw new Error(`${what}: store has\n${store.join('\n')}\nmodel has\n${model.join('\n')}`)
}
