import fs from 'node:fs/promises'
import path from 'node:path'
import type { Since } from '../../archive/export-plan.ts'
import { FileSource } from '../../archive/file-source.ts'
import { sinceArchive, sinceImage } from '../../archive/since.ts'
import { cached } from '../../content/cache.ts'
import { isNotFound, OrlopError } from '../../errors.ts'
import type { ImageRecord } from '../../images/types.ts'
import { fullReference } from '../../oci/reference.ts'
import type { AbortOptions } from '../../options.ts'
import type { OnProgress } from '../../remotes/progress.ts'
import { lookup } from '../../runtime/lookup.ts'
import type { Scope } from '../../runtime/runtime.ts'
import type { Wanted } from '../../runtime/select.ts'
import { openResolver, type RegistryOptions } from '../registry-options.ts'

/** What `--since` is looked up with. */
export interface SinceOptions extends AbortOptions {
  readonly scope: Scope
  readonly registry: RegistryOptions
  readonly platforms?: readonly Wanted[] | undefined
  readonly onProgress: OnProgress
}

const registryScheme = 'docker://'

/**
 * What `--since` names: a file that is there is an archive, a name that is here an image, any other an image in its
 * registry; `docker://` says so in the first place.
 *
 * @throws NOT_FOUND  it is none of these
 */
export async function sinceOf(text: string, options: SinceOptions): Promise<Since> {
  const { scope, platforms, signal } = options
  if (text.startsWith(registryScheme)) return sinceRegistry(text.slice(registryScheme.length), options)
  if (await isFile(text))
    return sinceArchive(new FileSource(text, { signal }), path.basename(text), { signal })
  const image = await found(scope, text, { signal })
  if (image === undefined) return sinceRegistry(text, options)
  const what = `${image.name}@${image.target.digest}`
  return sinceImage(scope.content, image.target, what, { platforms, signal })
}

async function isFile(text: string): Promise<boolean> {
  const stats = await fs.stat(text).catch(() => undefined)
  if (stats !== undefined || !/^\.{0,2}\//.test(text)) return stats?.isFile() ?? false
  throw new OrlopError('NOT_FOUND', `--since: file ${text}: no such file or directory`)
}

async function found(
  { images }: Scope,
  name: string,
  options: AbortOptions,
): Promise<ImageRecord | undefined> {
  try {
    return await lookup(images, name, options)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

async function sinceRegistry(
  text: string,
  { registry, platforms, onProgress, signal }: SinceOptions,
): Promise<Since> {
  const reference = fullReference(text)
  await using resolver = await openResolver(reference, registry, { signal, onProgress })
  const target = await resolver.resolve(reference, { signal })
  const provider = cached(await resolver.fetcher(reference, { signal }))
  return sinceImage(provider, target, `${reference}@${target.digest}`, { platforms, signal })
}
