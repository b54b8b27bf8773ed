import type { Runtime } from './runtime.ts'
import type { Verbs } from './verbs.ts'

/** The verbs on a store that this process has open. Their code is loaded when one is used. */
export const localVerbs = (runtime: Runtime): Verbs => ({
  collect: options => runtime.gc.collect(options),
  plan: options => runtime.gc.plan(options),
  why: (node, options) => runtime.gc.why(node, options),
  measure: async (namespace, options) => {
    const { measure } = await import('./measure.ts')
    return measure(runtime, namespace, options)
  },
  measureSet: async (namespace, names, options) => {
    const { measureSet } = await import('./measure.ts')
    const images = names.map(name => ({ name }))
    return measureSet(runtime, namespace, images, options)
  },
  prune: async (namespace, rules, options) => {
    const { prune } = await import('./prune.ts')
    return prune(runtime, runtime.scope(namespace), rules, options)
  },
  check: async options => {
    const { checkStore } = await import('./fsck.ts')
    return checkStore(runtime, options)
  },
  repair: async (options = {}) => {
    const { checkStore, repairStore } = await import('./fsck.ts')
    const report = await checkStore(runtime, options)
    return { ...report, ...(await repairStore(runtime, report.findings, options)) }
  },
  rebuild: async options => {
    const { rebuildRecords } = await import('./rebuild.ts')
    return rebuildRecords(runtime, options)
  },
})
