import { isNotFound, OrlopError } from '../errors.ts'
import { embeddedData } from '../oci/descriptor.ts'
import type { AbortOptions } from '../options.ts'
import type { InfoProvider, Provider, Target } from './types.ts'
import { verified } from './verify.ts'

export { copyBlob } from './copy.ts'
export { openWriter } from './open-writer.ts'

/** The largest blob that is read into memory unless a caller says otherwise: no manifest or config needs more. */
export const defaultMaxSize = 8 * 1024 * 1024

/** Options of `readBlob`. */
export interface ReadBlobOptions extends AbortOptions {
  /** Bytes; default 8 MiB. */
  readonly maxSize?: number | undefined
}

/**
 * All bytes of a blob, their size and digest checked. Bytes that the descriptor itself carries are taken from there.
 *
 * @throws NOT_FOUND  no such blob
 * @throws RESOURCE_EXHAUSTED  the target is larger than `maxSize`; nothing was read
 * @throws DATA_LOSS  the bytes are not what the target says
 */
export async function readBlob(
  provider: Provider,
  target: Target,
  { maxSize = defaultMaxSize, signal }: ReadBlobOptions = {},
): Promise<Uint8Array> {
  const { digest, size } = target
  if (size > maxSize) {
    throw new OrlopError(
      'RESOURCE_EXHAUSTED',
      `content ${digest}: ${size} bytes, more than the ${maxSize} that may be read into memory`,
    )
  }
  const embedded = embeddedData(target)
  if (embedded !== undefined) return embedded
  const chunks: Uint8Array[] = []
  for await (const chunk of verified(provider.read(target, { signal }), target)) chunks.push(chunk)
  const [only] = chunks
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)
}

/** True when the blob is there with the size the target says. Only NOT_FOUND means no; other errors pass. */
export async function has(
  provider: InfoProvider,
  target: Pick<Target, 'digest' | 'size'>,
  options?: AbortOptions,
): Promise<boolean> {
  try {
    return (await provider.info(target.digest, options)).size === target.size
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}
