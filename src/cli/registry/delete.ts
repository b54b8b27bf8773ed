import { OrlopError } from '../../errors.ts'
import { parseReference, type Reference, repositoryName } from '../../oci/reference.ts'
import type { AbortOptions } from '../../options.ts'
import type { RegistryResolver } from '../../remotes/registry/resolver.ts'
import type { Register } from '../register.ts'
import { addRegistryOptions, type RegistryOptions } from '../registry-options.ts'
import { withResolver } from '../remote.ts'

interface DeleteOptions extends RegistryOptions {
  readonly tagOnly?: boolean
  readonly dryRun?: boolean
}

const help = `
A manifest is deleted by its digest, so every tag that points at it is gone as well. Its blobs stay until the registry
collects them. Nothing is changed in the store here; that is "orlop images delete".`

/** `orlop registry delete` */
export const registerDelete: Register = (noun, context) => {
  const { out, signal, options: global } = context
  const command = noun
    .command('delete <reference...>')
    .aliases(['del', 'remove', 'rm'])
    .description('delete manifests from a registry, by tag or digest')
    .option('--tag-only', 'delete the tag alone, where the registry can do that')
    .option('--dry-run', 'print what would be deleted, and delete nothing')
    .addHelpText('after', help)
  addRegistryOptions(command).action(async (texts: readonly string[], options: DeleteOptions) => {
    const deleted: string[] = []
    for (const reference of texts.map(text => parseDeletable(text, options))) {
      await withResolver(repositoryName(reference), options, context, async resolver => {
        const name = await remove(resolver, reference, options, { signal })
        deleted.push(name)
        if (!global.json) out.line(name)
      })
    }
    if (global.json) out.json(deleted)
    else if (options.dryRun && !global.quiet) out.note('nothing was deleted (--dry-run)')
  })
}

/** Never the tag `latest` because somebody forgot to write one. */
function parseDeletable(text: string, { tagOnly }: DeleteOptions): Reference {
  const reference = parseReference(text)
  const { tag, digest } = reference
  const refuse = (why: string): never => {
    throw new OrlopError('INVALID_ARGUMENT', `${text}: ${why}`)
  }
  if (tag === undefined && digest === undefined) return refuse('give the tag or digest that is to be deleted')
  if (tagOnly && (tag === undefined || digest !== undefined))
    return refuse('--tag-only wants a tag, and no digest')
  return reference
}

/** @returns the name of what was deleted, or would be */
async function remove(
  resolver: RegistryResolver,
  reference: Reference,
  { tagOnly, dryRun }: DeleteOptions,
  options: AbortOptions,
): Promise<string> {
  const { tag, digest } = reference
  const repository = repositoryName(reference)
  const name = digest ?? tag ?? ''
  if (dryRun) {
    const found = (await (await resolver.repository(repository, options)).manifest(name, options)).target
    return tagOnly ? `${repository}:${tag}` : `${repository}@${found.digest}`
  }
  const remover = await resolver.remover(repository, options)
  if (!tagOnly) return `${repository}@${await remover.manifest(name, options)}`
  await remover.tag(name, options)
  return `${repository}:${tag}`
}
