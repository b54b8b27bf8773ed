import { OrlopError } from '../../errors.ts'
import type { CompressionTarget } from '../compress.ts'
import { checkCompression } from '../compress.ts'
import type { Format } from './layer-type.ts'

/** What is to change in an image. */
export interface Change {
  /** Manifests, configs and layers become of this format; default: each stays. */
  readonly format?: Format | undefined
  /** Layers that have another compression get this one, with a level all of them; default: each stays. */
  readonly compression?: CompressionTarget | undefined
}

/**
 * Makes sure that a change can be made at all, before anything is read.
 *
 * @throws FAILED_PRECONDITION  zstd in Docker's format
 * @throws UNIMPLEMENTED, INVALID_ARGUMENT  as `checkCompression`
 */
export function checkChange({ format, compression }: Change): void {
  if (compression === undefined) return
  if (compression.type === 'zstd' && format === 'docker')
    throw new OrlopError('FAILED_PRECONDITION', "Docker's format has no layers compressed with zstd")
  checkCompression(compression)
}
