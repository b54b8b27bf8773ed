import type { Listed } from '../../runtime/list.ts'
import { formatBytes, formatLabels } from '../output.ts'
import type { Register } from '../register.ts'

/** `orlop images list` */
export const registerList: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('list [filter...]')
    .alias('ls')
    .description('list the images of the namespace, as one of the filters has them')
    .action(async (filters: string[]) => {
      const { images, content } = await scope()
      const records = images.list(filters, { signal })
      if (global.quiet && !global.json) {
        for await (const { name } of records) out.line(name)
        return
      }
      const listed: Listed[] = []
      const { describeAll } = await import('../../runtime/list.ts')
      for await (const one of describeAll(content, records, { signal })) listed.push(one)
      if (global.json) out.json(listed.map(document))
      else out.table(['REF', 'TYPE', 'DIGEST', 'SIZE', 'PLATFORMS', 'LABELS'], listed.map(row))
    })
}

const row = ({ image, size, platforms }: Listed): readonly string[] => [
  image.name,
  image.target.mediaType,
  image.target.digest,
  size === undefined ? '-' : formatBytes(size),
  platforms.join(',') || '-',
  formatLabels(image.labels),
]

const document = ({ image, ...rest }: Listed): unknown => ({ ...image, ...rest })
