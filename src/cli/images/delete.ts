import { isNotFound } from '../../errors.ts'
import { collectNow } from '../gc.ts'
import { lookupImage } from '../lookup.ts'
import type { Register } from '../register.ts'

/** `orlop images delete` */
export const registerDelete: Register = (noun, context) => {
  const { out, signal, scope } = context
  noun
    .command('delete <image...>')
    .aliases(['del', 'remove', 'rm'])
    .description('delete image records; their blobs stay until a collection removes what nothing refers to')
    .option('--sync', 'collect before returning, so that the space is free then')
    .action(async (names: string[], { sync = false }: { sync?: boolean }) => {
      const { options: global } = context
      const { images } = await scope()
      const deleted: string[] = []
      for (const name of names) {
        try {
          const { name: found } = await lookupImage(images, name, { signal })
          await images.delete(found, { signal })
          deleted.push(found)
          if (!global.json) out.line(found)
        } catch (error) {
          // As in ctr: what is not there need not be deleted.
          if (!isNotFound(error)) throw error
          out.note(`orlop: image ${name}: not found, nothing deleted`)
        }
      }
      if (sync) await collectNow(context)
      if (global.json) out.json(deleted)
    })
}
