import fs from 'node:fs/promises'
import { fromErrno, OrlopError } from '../errors.ts'
import { algorithmOf, Digester } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { errnoOf } from './fs-durable.ts'
import { isFileProvider } from './fs-share.ts'
import { digestFile, largeFrom } from './hash-file.ts'
import type { FileDigest } from './hash-threads.ts'
import type { Provider, Target } from './types.ts'

/**
 * What the bytes of a blob hash to, in the algorithm of its digest, and how many they are: right or wrong ones.
 *
 * A large one that is a file is hashed in another thread.
 *
 * @throws NOT_FOUND  no such blob
 */
export async function digestBlob(
  provider: Provider,
  target: Target,
  options: AbortOptions = {},
): Promise<FileDigest> {
  const { digest, size } = target
  const { signal } = options
  const file =
    size >= largeFrom && isFileProvider(provider) ? await provider.file(target, { signal }) : undefined
  if (file !== undefined) return digestAt(file, target, { signal })
  const digester = new Digester(algorithmOf(digest))
  let read = 0
  for await (const chunk of provider.read(target, { signal })) {
    signal?.throwIfAborted()
    digester.update(chunk)
    read += chunk.byteLength
  }
  return { digest: digester.digest(), size: read }
}

async function digestAt(
  file: string,
  { digest }: Pick<Target, 'digest'>,
  options: AbortOptions,
): Promise<FileDigest> {
  try {
    await using handle = await fs.open(file, 'r')
    return await digestFile(handle, algorithmOf(digest), options)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT')
      throw new OrlopError('NOT_FOUND', `content ${digest}: there is none`, { cause: error })
    throw fromErrno(error, `content ${digest}`)
  }
}
