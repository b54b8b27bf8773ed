import { criPinLabel, pinLabel, pinOf } from '../../images/pin.ts'
import type { Context } from '../context.ts'
import { lookupImage } from '../lookup.ts'
import type { Register } from '../register.ts'

/** `orlop images pin` */
export const registerPin: Register = (noun, context) => {
  noun
    .command('pin <image...>')
    .description('keep images from every prune')
    .addHelpText('after', labels)
    .action((names: string[]) => label(context, names, 'true'))
}

/** `orlop images unpin` */
export const registerUnpin: Register = (noun, context) => {
  noun
    .command('unpin <image...>')
    .description('let prunes have images again')
    .addHelpText('after', labels)
    .action((names: string[]) => label(context, names, null))
}

const labels = `
A pinned image has the label ${pinLabel}; so "orlop images list 'labels."${pinLabel}"'" lists them. Images with the
label ${criPinLabel}=pinned, which containerd's CRI plugin sets, count as pinned too; unpin leaves that one alone.`

async function label(
  { out, signal, scope, options: global }: Context,
  names: readonly string[],
  value: string | null,
): Promise<void> {
  const { images } = await scope()
  const done = []
  for (const name of names) {
    const found = await lookupImage(images, name, { signal })
    const record = await images.update(found.name, { labels: { [pinLabel]: value } }, { signal })
    const pin = pinOf(record)
    done.push({ name: record.name, pinned: pin !== undefined })
    if (!global.json) out.line(record.name)
    if (value === null && pin !== undefined) {
      out.note(
        `orlop: image ${record.name}: still pinned by the label ${pin}; "orlop images label ${record.name} ${pin}=" removes it`,
      )
    }
  }
  if (global.json) out.json(done)
}
