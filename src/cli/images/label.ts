import { OrlopError } from '../../errors.ts'
import { labelArguments } from '../arguments.ts'
import { lookupImage } from '../lookup.ts'
import { formatLabels } from '../output.ts'
import type { Register } from '../register.ts'

/** `orlop images label` */
export const registerLabel: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('label <image> <label...>')
    .description('set labels (key=value; key alone: true), or remove them (key=)')
    .option('-r, --replace-all', 'the labels given are all there will be')
    .action(async (name: string, args: string[], options: { replaceAll?: boolean }) => {
      const labels = labelArguments(args)
      if (Object.keys(labels).length === 0)
        throw new OrlopError('INVALID_ARGUMENT', 'images label: give a label')
      const { images } = await scope()
      const { name: found } = await lookupImage(images, name, { signal })
      const record = await images.update(found, { labels, replaceLabels: options.replaceAll }, { signal })
      if (global.json) out.json({ name: record.name, labels: record.labels })
      else out.line(formatLabels(record.labels))
    })
}
