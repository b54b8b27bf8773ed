import type { InfoProvider, Labels } from '../content/types.ts'
import { isNotFound } from '../errors.ts'
import { maxLabelSize } from '../metadata/labels.ts'
import { labelKeys } from '../oci/annotations.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { AbortOptions } from '../options.ts'
import { hostWithoutPort } from './registry/hosts.ts'

/** The key of the label that tells which repositories of a registry have a blob. */
export const distributionSourceKey = (registry: string): string =>
  `${labelKeys.distributionSource}${hostWithoutPort(registry)}`

/** The repositories of a registry that a blob's labels name, sorted. */
export const distributionSources = (labels: Labels, registry: string): readonly string[] => {
  const key = distributionSourceKey(registry)
  return sorted(Object.hasOwn(labels, key) ? (labels[key] ?? '') : '')
}

/**
 * The label that adds a repository to those a blob is known to come from; no label when it would grow too long.
 *
 * @param labels  those the blob has
 * @see containerd core/remotes/docker/handler.go
 */
export function withDistributionSource(labels: Labels, registry: string, repository: string): Labels {
  const key = distributionSourceKey(registry)
  const value = sorted([...distributionSources(labels, registry), repository].join(',')).join(',')
  return Buffer.byteLength(key) + Buffer.byteLength(value) > maxLabelSize ? {} : { [key]: value }
}

/**
 * A function that gives each blob its distribution label, what `store` knows of it included; for `copyGraph`.
 *
 * These labels say from where a blob may be mounted when it is pushed.
 */
export const labelDistributionSource =
  (store: InfoProvider, registry: string, repository: string) =>
  async ({ digest }: Descriptor, options?: AbortOptions): Promise<Labels> =>
    withDistributionSource(await labelsOf(store, digest, options), registry, repository)

async function labelsOf(
  store: InfoProvider,
  digest: Descriptor['digest'],
  options: AbortOptions | undefined,
): Promise<Labels> {
  try {
    return (await store.info(digest, options)).labels
  } catch (error) {
    if (isNotFound(error)) return {}
    throw error
  }
}

const sorted = (list: string): readonly string[] =>
  [...new Set(list.split(',').filter(name => name !== ''))].sort()
