import type { Provider } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { children } from '../handlers/children.ts'
import { pipe } from '../handlers/pipe.ts'
import { leafWhen } from '../handlers/skip.ts'
import { walk } from '../handlers/walk.ts'
import type { Signature } from '../images/signature.ts'
import type { Digest } from '../oci/digest.ts'
import { isIndex, isManifest } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import type { Destination, Source } from '../transports/types.ts'
import type { Selected } from './copy-selection.ts'

/** The signatures of one manifest or index. */
export interface FoundSignatures {
  readonly manifest: Digest
  readonly signatures: readonly Signature[]
}

/**
 * The signatures of what is copied, read before anything is.
 *
 * @throws FAILED_PRECONDITION  there are some, and the destination keeps none
 */
export async function signaturesOf(
  source: Source,
  destination: Destination,
  blobs: Provider,
  { root, select = next => next }: Selected,
  { removeSignatures = false, signal }: AbortOptions & { readonly removeSignatures?: boolean | undefined },
): Promise<readonly FoundSignatures[]> {
  if (removeSignatures || source.signatures === undefined) return []
  const found: FoundSignatures[] = []
  for await (const desc of walk(pipe(children(blobs), select, leafWhen(isManifest)), [root], {
    seen: new Set(),
    signal,
  })) {
    if (!isManifest(desc) && !isIndex(desc)) continue
    const signatures = await source.signatures(desc.digest, { signal })
    if (signatures.length > 0) found.push({ manifest: desc.digest, signatures })
  }
  const [first] = found
  if (first !== undefined && destination.putSignatures === undefined)
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `${destination.place}: keeps no signatures, and ${first.manifest} has ${first.signatures.length}; leave them behind with --remove-signatures`,
    )
  return found
}

/** Puts signatures beside the manifests that they came with. */
export async function carrySignatures(
  destination: Destination,
  found: readonly FoundSignatures[],
  options: AbortOptions,
): Promise<void> {
  for (const { manifest, signatures } of found)
    await destination.putSignatures?.(manifest, signatures, options)
}
