import { parseDigest } from '../../oci/digest.ts'
import { labelArguments } from '../arguments.ts'
import { formatLabels } from '../output.ts'
import type { Register } from '../register.ts'

/** `orlop content label` */
export const registerLabel: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('label <digest> [label...]')
    .description('show the labels of a blob, set them (key=value; key alone: true), or remove them (key=)')
    .action(async (text: string, args: string[]) => {
      const digest = parseDigest(text)
      const labels = labelArguments(args)
      const { content } = await scope()
      const info =
        args.length === 0
          ? await content.info(digest, { signal })
          : await content.update(digest, { labels }, { signal })
      if (global.json) out.json({ digest, labels: info.labels })
      else out.line(formatLabels(info.labels))
    })
}
