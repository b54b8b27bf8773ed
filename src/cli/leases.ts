import { Option } from 'commander'
import type { Lease } from '../metadata/lease-types.ts'
import { collect, duration, newLabels } from './arguments.ts'
import { collectNow } from './gc.ts'
import { formatLabels } from './output.ts'
import type { Register } from './register.ts'

const day = 24 * 60 * 60 * 1000

/** `orlop leases …` */
export const registerLeases: Register = (noun, context) => {
  registerList(noun, context)
  registerCreate(noun, context)
  registerDelete(noun, context)
  registerResources(noun, context)
}

const registerList: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('list [filter...]')
    .alias('ls')
    .description('list the leases, expired ones too')
    .action(async (filters: string[]) => {
      const { leases } = await scope()
      const found: Lease[] = []
      for await (const lease of leases.list(filters, { signal })) found.push(lease)
      if (global.json) out.json(found)
      else if (global.quiet) for (const { id } of found) out.line(id)
      else out.table(['ID', 'CREATED AT', 'LABELS'], found.map(row))
    })
}

const row = ({ id, createdAt, labels }: Lease): readonly string[] => [
  id,
  createdAt.toISOString(),
  formatLabels(labels),
]

const registerCreate: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('create [label...]')
    .description('create a lease')
    .option('--id <id>', 'name of the lease; default: one that nobody has')
    .addOption(
      new Option('-x, --expires <duration>', 'how long it holds, like 90m; 0: until it is deleted')
        .argParser(duration)
        .default(day, '24h'),
    )
    .action(async (labels: string[], { id, expires }: { id?: string; expires: number }) => {
      const { leases } = await scope()
      const init = { id, labels: newLabels(labels), ...(expires > 0 && { expiresIn: expires }) }
      const lease = await leases.create(init, { signal })
      if (global.json) out.json(lease)
      else out.line(lease.id)
    })
}

const registerDelete: Register = (noun, context) => {
  const { out, signal, scope } = context
  noun
    .command('delete <id...>')
    .aliases(['del', 'remove', 'rm'])
    .description('delete leases; what only they held goes at the next collection')
    .option('--sync', 'collect before returning, so that the space is free then')
    .action(async (ids: string[], { sync = false }: { sync?: boolean }) => {
      const { options: global } = context
      const { leases } = await scope()
      for (const id of ids) {
        await leases.delete(id, { signal })
        if (!global.json) out.line(id)
      }
      if (sync) await collectNow(context)
      if (global.json) out.json(ids)
    })
}

const registerResources: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('resources <id>')
    .description('list what a lease holds, or add to it')
    .option('--add <type=id>', 'hold one thing more, like content=sha256:…; may be repeated', collect)
    .option('--remove <type=id>', 'let go of one thing; may be repeated', collect)
    .action(async (id: string, { add = [], remove = [] }: { add?: string[]; remove?: string[] }) => {
      const { leases } = await scope()
      for (const text of add) await leases.addResource(id, resource(text), { signal })
      for (const text of remove) await leases.deleteResource(id, resource(text), { signal })
      const found = []
      for await (const held of leases.resources(id, { signal })) found.push(held)
      if (global.json) out.json(found)
      else if (global.quiet) for (const held of found) out.line(held.id)
      else
        out.table(
          ['TYPE', 'ID'],
          found.map(({ type, id: held }) => [type, held]),
        )
    })
}

const resource = (text: string): { readonly type: string; readonly id: string } => {
  const at = text.indexOf('=')
  return { type: text.slice(0, Math.max(at, 0)), id: text.slice(at + 1) }
}
