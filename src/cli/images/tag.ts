import { parseReference } from '../../oci/reference.ts'
import { tag } from '../../runtime/tag.ts'
import { lookupImage } from '../lookup.ts'
import type { Register } from '../register.ts'

/** `orlop images tag` */
export const registerTag: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('tag <source> <name...>')
    .description('give an image more names')
    .option('--force', 'point a name that is taken at the source')
    .option('--skip-reference-check', 'take names that are no references')
    .action(
      async (source: string, names: string[], options: { force?: boolean; skipReferenceCheck?: boolean }) => {
        if (!options.skipReferenceCheck) for (const name of names) parseReference(name)
        const { images } = await scope()
        const record = await lookupImage(images, source, { signal })
        const created = []
        for (const name of names) {
          created.push(await tag(images, record, name, { force: options.force, signal }))
          if (!global.json) out.line(name)
        }
        if (global.json) out.json(created.map(({ name, target }) => ({ name, digest: target.digest })))
      },
    )
}
