import { verified } from '../../content/verify.ts'
import { fullReference } from '../../oci/reference.ts'
import type { Register } from '../register.ts'
import { addRegistryOptions, type RegistryOptions } from '../registry-options.ts'
import { withResolver } from '../remote.ts'

/** `orlop content fetch-object` */
export const registerFetchObject: Register = (noun, context) => {
  const { out, signal } = context
  const command = noun
    .command('fetch-object <reference...>')
    .description('write what references point at in their registries to stdout; nothing is stored')
  addRegistryOptions(command).action(async (texts: readonly string[], options: RegistryOptions) => {
    for (const reference of texts.map(fullReference)) {
      await withResolver(reference, options, context, async resolver => {
        const target = await resolver.resolve(reference, { signal })
        const from = await resolver.fetcher(reference, { signal })
        for await (const chunk of verified(from.read(target, { signal }), target)) await out.bytes(chunk)
      })
    }
  })
}
