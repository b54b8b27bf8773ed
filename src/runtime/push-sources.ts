import type { ContentStore, Labels } from '../content/types.ts'
import { isNotFound, isOrlopError } from '../errors.ts'
import { labelKeys } from '../oci/annotations.ts'
import type { Digest } from '../oci/digest.ts'
import { parseReference, type Reference, repositoryName } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import { distributionSources, withDistributionSource } from '../remotes/distribution-source.ts'

/** Finds where a registry may have a blob already, as the blob's labels tell, or those of the image's root. */
export function mountSources(content: Pick<ContentStore, 'info'>, { domain }: Reference, root: Digest) {
  return async (digest: Digest, options: AbortOptions): Promise<readonly string[]> => {
    const own = distributionSources(await labelsOf(content, digest, options), domain)
    return own.length > 0 ? own : distributionSources(await labelsOf(content, root, options), domain)
  }
}

/** Notes in the labels of what was pushed that the registry has it, so that it can be mounted from there. */
export async function rememberPushed(
  content: Pick<ContentStore, 'info' | 'update'>,
  digests: Iterable<Digest>,
  { domain, path }: Reference,
  options: AbortOptions,
): Promise<void> {
  for (const digest of digests) {
    try {
      const { labels } = await content.info(digest, options)
      if (distributionSources(labels, domain).includes(path)) continue
      await content.update(digest, { labels: withDistributionSource(labels, domain, path) }, options)
    } catch (error) {
      // It was pushed; to know that again another time is no reason to fail.
      if (!isOrlopError(error)) throw error
    }
  }
}

/** References to an image's repositories, as its name and its labels tell; the first is the most likely. */
export async function originsOf(
  content: Pick<ContentStore, 'info'>,
  { name, root }: { readonly name: string; readonly root: Digest },
  options: AbortOptions,
): Promise<readonly string[]> {
  const origins = new Set<string>()
  const own = nameOf(name)
  if (own !== undefined) origins.add(`${own}@${root}`)
  for (const [key, value] of Object.entries(await labelsOf(content, root, options))) {
    if (!key.startsWith(labelKeys.distributionSource)) continue
    const registry = key.slice(labelKeys.distributionSource.length)
    for (const path of value.split(',')) {
      const repository = nameOf(`${registry}/${path}`)
      if (repository !== undefined) origins.add(`${repository}@${root}`)
    }
  }
  return [...origins]
}

function nameOf(text: string): string | undefined {
  try {
    return repositoryName(parseReference(text))
  } catch (error) {
    if (isOrlopError(error)) return undefined
    throw error
  }
}

async function labelsOf(
  content: Pick<ContentStore, 'info'>,
  digest: Digest,
  options: AbortOptions,
): Promise<Labels> {
  try {
    return (await content.info(digest, options)).labels
  } catch (error) {
    if (isNotFound(error)) return {}
    throw error
  }
}
