import { parseDigest } from '../../oci/digest.ts'
import { exitCodeOf } from '../exit-code.ts'
import type { Register } from '../register.ts'
import { describeError } from '../report.ts'

/** `orlop content delete` */
export const registerDelete: Register = (noun, { out, signal, scope, fail, options: global }) => {
  noun
    .command('delete <digest...>')
    .aliases(['del', 'remove', 'rm'])
    .description('take blobs out of the namespace; their bytes go at the next collection')
    .action(async (texts: string[]) => {
      const digests = texts.map(parseDigest)
      const { content } = await scope()
      const deleted: string[] = []
      for (const digest of digests) {
        try {
          await content.delete(digest, { signal })
          deleted.push(digest)
          if (!global.json) out.line(digest)
        } catch (error) {
          signal.throwIfAborted()
          out.note(describeError(error, global))
          fail(exitCodeOf(error))
        }
      }
      if (global.json) out.json(deleted)
    })
}
