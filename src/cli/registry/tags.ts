import { parseReference, repositoryName } from '../../oci/reference.ts'
import type { Register } from '../register.ts'
import { withResolver } from '../remote.ts'
import { addListOptions, type ListNamesOptions, listOptionsOf, printNames } from './list-names.ts'

/** `orlop registry tags` */
export const registerTags: Register = (noun, context) => {
  const command = noun
    .command('tags <repository>')
    .description('list the tags of a repository, as the registry orders them')
  addListOptions(command).action(async (text: string, options: ListNamesOptions) => {
    const name = repositoryName(parseReference(text))
    await withResolver(name, options, context, async resolver => {
      const repository = await resolver.repository(name, context)
      await printNames(repository.tags(listOptionsOf(options, context)), context)
    })
  })
}
