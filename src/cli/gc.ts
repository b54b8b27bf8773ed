import { isNotFound, OrlopError } from '../errors.ts'
import type { Collection, RemovedItem } from '../gc/collector.ts'
import type { Item } from '../gc/plan.ts'
import { describe } from '../gc/reason.ts'
import type { KeptPath, Why } from '../gc/why.ts'
import { nodeNamed } from '../runtime/gc.ts'
import { count } from './arguments.ts'
import type { Context } from './context.ts'
import { formatBytes } from './output.ts'
import type { Register } from './register.ts'

/** `orlop gc …` */
export const registerGc: Register = (noun, context) => {
  registerRun(noun, context)
  registerPlan(noun, context)
  registerWhy(noun, context)
}

/** Collects all namespaces and remarks on what it did: for verbs with `--sync`. */
export async function collectNow({ collect, out, options: { quiet } }: Context): Promise<void> {
  const bytes = await collect()
  if (quiet) return
  out.note(bytes === undefined ? 'orlop: collected' : `orlop: collected ${formatBytes(bytes)}`)
}

const registerRun: Register = (noun, { out, signal, verbs, options: global }) => {
  noun
    .command('run')
    .description('remove what nothing keeps, of all namespaces')
    .action(async () => {
      const names = global.quiet && !global.json
      const onRemoved = (item: RemovedItem): void => {
        if (names) out.line(nameOf(item))
      }
      const done = await (await verbs()).collect({ signal, onRemoved })
      if (global.json) out.json(done)
      else if (!names) printRun(done, out.line)
    })
}

function printRun(
  { records, blobs, ingests, bytes, pauses }: Collection,
  line: (text: string) => void,
): void {
  const kinds = Object.entries(records).map(([kind, number]) => `${number} ${kind}`)
  line(`records: ${kinds.join(', ') || 'none'}`)
  line(`on disk: ${blobs} blobs, ${ingests} ingests, ${formatBytes(bytes)}`)
  line(`writers were held for at most ${pauses.longest.toFixed(1)} ms, ${pauses.count} times`)
}

const registerPlan: Register = (noun, { out, signal, verbs, options: global }) => {
  noun
    .command('plan')
    .description('say what a run would remove now and why, and change nothing')
    .action(async () => {
      const plan = await (await verbs()).plan({ signal })
      if (global.json) return out.json(plan)
      if (global.quiet) {
        for (const item of plan.items) out.line(nameOf(item))
        return
      }
      out.table(['KIND', 'NAMESPACE', 'NAME', 'SIZE', 'FREES', 'REASON'], plan.items.map(row))
      out.line(`${plan.items.length} to remove, ${formatBytes(plan.bytes)} would come free`)
    })
}

const row = ({ kind, namespace, key, size, frees, reason }: Item): readonly string[] => [
  kind,
  namespace ?? '-',
  key,
  size === undefined ? '-' : formatBytes(size),
  formatBytes(frees),
  reason,
]

const nameOf = ({ kind, namespace, key }: Pick<Item, 'kind' | 'namespace' | 'key'>): string =>
  `${kind} ${namespace ?? '-'} ${key}`

const registerWhy: Register = (noun, { out, signal, verbs, scope, options: global }) => {
  noun
    .command('why <digest|image|ingest>')
    .description('say what keeps a thing, from the root on')
    .option('--limit <number>', 'at most so many ways, the shortest first', count, 20)
    .action(async (text: string, { limit }: { limit: number }) => {
      const node = await nodeNamed(await scope(), text, { signal })
      const why = await (await verbs()).why(node, { limit, signal }).catch(error => {
        if (node.kind !== 'ingest' || !isNotFound(error)) throw error
        const what = `${JSON.stringify(text)}: no digest, and no image or ingest of that name`
        throw new OrlopError('NOT_FOUND', `${what} in namespace ${node.namespace}`, { cause: error })
      })
      if (global.json) out.json(why)
      else if (!global.quiet) printWhy(why, out.line)
      else for (const [root] of why.paths.map(({ nodes }) => nodes)) if (root) out.line(nameOf(root))
    })
}

function printWhy({ node, paths, more, reason, since }: Why, line: (text: string) => void): void {
  if (paths.length === 0) {
    line(`${describe(node)}: nothing keeps it (${reason}); here since ${since.toISOString()}`)
  }
  for (const path of paths) line(formatPath(path))
  if (more) line('…and more')
}

/** `image "a" → content sha256:… → content sha256:…  (image)`; a node that is kept without its references is `(flat)`. */
const formatPath = ({ nodes, root }: KeptPath): string => {
  const steps = nodes.map(node => `${describe(node)}${node.flat ? ' (flat)' : ''}`)
  return `${steps.join(' → ')}  (${root})`
}
