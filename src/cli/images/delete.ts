import { isNotFound } from '../../errors.ts'
import { lookup } from '../../runtime/lookup.ts'
import type { Register } from '../register.ts'

/** `orlop images delete` */
export const registerDelete: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('delete <image...>')
    .aliases(['del', 'remove', 'rm'])
    .description('delete image records; their blobs stay until a collection removes what nothing refers to')
    .action(async (names: string[]) => {
      const { images } = await scope()
      const deleted: string[] = []
      for (const name of names) {
        try {
          const { name: found } = await lookup(images, name, { signal })
          await images.delete(found, { signal })
          deleted.push(found)
          if (!global.json) out.line(found)
        } catch (error) {
          // As in ctr: what is not there need not be deleted.
          if (!isNotFound(error)) throw error
          out.note(`orlop: image ${name}: not found, nothing deleted`)
        }
      }
      if (global.json) out.json(deleted)
    })
}
