import { parseDomain } from '../../oci/reference.ts'
import type { Register } from '../register.ts'
import { withResolver } from '../remote.ts'
import { addListOptions, type ListNamesOptions, listOptionsOf, printNames } from './list-names.ts'

/** `orlop registry catalog` */
export const registerCatalog: Register = (noun, context) => {
  const command = noun
    .command('catalog <registry>')
    .description('list the repositories of a registry; many registries tell nobody')
  addListOptions(command).action(async (text: string, options: ListNamesOptions) => {
    const registry = parseDomain(text)
    await withResolver(`${registry}/any`, options, context, async resolver => {
      await printNames(resolver.repositories(registry, listOptionsOf(options, context)), context)
    })
  })
}
