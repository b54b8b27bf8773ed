import { parseDigest } from '../../oci/digest.ts'
import { formatLabels } from '../output.ts'
import type { Register } from '../register.ts'

/** `orlop content info` */
export const registerInfo: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('info <digest>')
    .description('tell what is known of a blob')
    .action(async (text: string) => {
      const digest = parseDigest(text)
      const { content } = await scope()
      const info = await content.info(digest, { signal })
      if (global.json) {
        out.json(info)
        return
      }
      out.table(
        ['KEY', 'VALUE'],
        [
          ['digest', info.digest],
          ['size', String(info.size)],
          ['createdAt', info.createdAt.toISOString()],
          ['updatedAt', info.updatedAt.toISOString()],
          ['labels', formatLabels(info.labels)],
        ],
      )
    })
}
