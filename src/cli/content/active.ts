import type { Status } from '../../content/types.ts'
import { formatAge, formatDecimalBytes } from '../output.ts'
import type { Register } from '../register.ts'

/** `orlop content active` */
export const registerActive: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('active [filter...]')
    .description('list the ingests: downloads under way, and those that can be resumed')
    .action(async (filters: string[]) => {
      const { content } = await scope()
      const statuses: Status[] = []
      for await (const status of content.statuses(filters, { signal })) statuses.push(status)
      if (global.json) out.json(statuses)
      else if (global.quiet) for (const { ref } of statuses) out.line(ref)
      else out.table(['REF', 'SIZE', 'AGE'], statuses.map(row))
    })
}

const row = ({ ref, offset, total, startedAt }: Status): readonly string[] => [
  ref,
  total === undefined
    ? formatDecimalBytes(offset)
    : `${formatDecimalBytes(offset)}/${formatDecimalBytes(total)}`,
  formatAge(Date.now() - startedAt.getTime()),
]
