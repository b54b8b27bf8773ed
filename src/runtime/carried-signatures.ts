import type { InfoProvider, Provider } from '../content/types.ts'
import { children } from '../handlers/children.ts'
import { pipe } from '../handlers/pipe.ts'
import { leafWhen } from '../handlers/skip.ts'
import { walk } from '../handlers/walk.ts'
import type { Signature, SignatureSink } from '../images/signature.ts'
import { storedSignatures } from '../images/stored-signatures.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { isIndex } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'

/** The signatures of one manifest or index. */
export interface Signed {
  readonly digest: Digest
  readonly signatures: readonly Signature[]
}

/** Where signatures go, and under which name. */
export interface SignaturePlace {
  readonly sink: SignatureSink
  /** In full. */
  readonly reference: string
}

/**
 * The signatures that a store has of an image's indexes and manifests.
 *
 * @param documents  has the indexes
 */
export async function signaturesBelow(
  store: Provider & InfoProvider,
  documents: Provider,
  target: Descriptor,
  options: AbortOptions = {},
): Promise<readonly Signed[]> {
  const signed: Signed[] = []
  const handler = pipe(
    children(documents),
    leafWhen(desc => !isIndex(desc)),
  )
  for await (const { digest } of walk(handler, [target], { ...options, seen: new Set() })) {
    const signatures = await storedSignatures(store, digest, options)
    if (signatures.length > 0) signed.push({ digest, signatures })
  }
  return signed
}

/** Throws unless there is a place for all of them, so that nothing is sent that would lose them. */
export async function checkPlace(
  { sink, reference }: SignaturePlace,
  signed: readonly Signed[],
): Promise<void> {
  for (const { signatures } of signed) await sink.checkPlace(reference, signatures)
}

/** Puts them there; gives their number. */
export async function carry(
  { sink, reference }: SignaturePlace,
  signed: readonly Signed[],
  options: AbortOptions = {},
): Promise<number> {
  let count = 0
  for (const { digest, signatures } of signed) {
    await sink.putSignatures(reference, digest, signatures, options)
    count += signatures.length
  }
  return count
}
