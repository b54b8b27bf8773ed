import { verified } from '../../content/verify.ts'
import { parseDigest } from '../../oci/digest.ts'
import type { Register } from '../register.ts'

/** `orlop content get` */
export const registerGet: Register = (noun, { out, signal, scope }) => {
  noun
    .command('get <digest>')
    .description(
      'write the bytes of a blob to stdout; fails in the end when they are not what the digest says',
    )
    .action(async (text: string) => {
      const digest = parseDigest(text)
      const { content } = await scope()
      const { size } = await content.info(digest, { signal })
      const target = { digest, size, mediaType: '' }
      for await (const chunk of verified(content.read(target, { signal }), target)) await out.bytes(chunk)
    })
}
