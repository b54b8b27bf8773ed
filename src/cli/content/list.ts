import type { Info } from '../../content/types.ts'
import { formatAge, formatDecimalBytes, formatLabels } from '../output.ts'
import type { Register } from '../register.ts'

/** `orlop content list` */
export const registerList: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('list [filter...]')
    .alias('ls')
    .description('list the blobs of the namespace, as one of the filters has them')
    .action(async (filters: string[]) => {
      const { content } = await scope()
      const infos: Info[] = []
      for await (const info of content.list(filters, { signal })) {
        if (global.quiet && !global.json) out.line(info.digest)
        else infos.push(info)
      }
      if (global.json) out.json(infos)
      else if (!global.quiet) out.table(['DIGEST', 'SIZE', 'AGE', 'LABELS'], infos.map(row))
    })
}

const row = ({ digest, size, createdAt, labels }: Info): readonly string[] => [
  digest,
  formatDecimalBytes(size),
  formatAge(Date.now() - createdAt.getTime()),
  formatLabels(labels),
]
