import type { Command } from 'commander'
import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { Policy } from '../policy/types.ts'
import type { RegistrySignaturesOptions } from '../remotes/registry/signatures.ts'

/** Options of every command that a policy decides on. */
export interface PolicyOptions {
  readonly policy?: string
  readonly insecurePolicy?: boolean
  readonly 'registries.d'?: string
}

/** Adds the options of `PolicyOptions`, named as `skopeo` names them; with `insecure: false` not that which accepts all. */
export function addPolicyOptions(command: Command, { insecure = true } = {}): Command {
  command.option(
    '--policy <file>',
    'a policy.json that must accept the image; by default ~/.config/containers/policy.json, else /etc/containers/policy.json',
  )
  if (insecure) command.option('--insecure-policy', 'accept any image, whatever policy there is')
  return addPlacesOption(command)
}

/** Adds the option that says where signatures are. */
export const addPlacesOption = (command: Command): Command =>
  command.option(
    '--registries.d <dir>',
    'where it is said where signatures are; by default that of ~/.config/containers, else of /etc/containers',
  )

/**
 * The policy that the options name, else that of the user or machine; `undefined`, which accepts anything, when there is none.
 *
 * @throws INVALID_ARGUMENT  both options, or a policy that is not valid
 */
export async function openPolicy(
  { policy, insecurePolicy }: PolicyOptions,
  options: AbortOptions,
): Promise<Policy | undefined> {
  if (insecurePolicy && policy !== undefined)
    throw new OrlopError('INVALID_ARGUMENT', 'give --policy or --insecure-policy, not both')
  if (insecurePolicy) return undefined
  const { findPolicy, loadPolicy } = await import('../policy/file.ts')
  const file = policy ?? (await findPolicy())
  return file === undefined ? undefined : loadPolicy(file, options)
}

/** Where signatures are looked for, as the options say. */
export const signaturePlacesOf = (
  options: Pick<PolicyOptions, 'registries.d'>,
): RegistrySignaturesOptions => ({
  directory: options['registries.d'],
})
