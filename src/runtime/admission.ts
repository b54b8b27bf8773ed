import { readBlob } from '../content/blob.ts'
import type { Ingester, Labels, Provider } from '../content/types.ts'
import { hasCode, OrlopError } from '../errors.ts'
import type { Handler } from '../handlers/types.ts'
import type { Signature, SignatureOptions } from '../images/signature.ts'
import { storeSignatures } from '../images/stored-signatures.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { isIndex, isManifest } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { admit, evaluate } from '../policy/evaluate.ts'
import type { Policy, PolicyIdentity, PolicyImage } from '../policy/types.ts'
import { forEachJudged, onlyIndexSigned } from './judged.ts'

/** What decides on one image, and knows its signatures. */
export interface AdmissionParts {
  /** Absent: everything is accepted. */
  readonly policy?: Policy | undefined
  /** What the policy knows the image by. */
  readonly identity: PolicyIdentity
  /** The signatures of a manifest or index of it, none verified; absent: nothing is signed. */
  readonly signatures?:
    | ((manifest: Digest, options: SignatureOptions) => Promise<readonly Signature[]>)
    | undefined
}

/** Decides whether an image may be used, and takes along the signatures that it has. */
export class Admission {
  readonly #parts: AdmissionParts
  readonly #read = new Map<Digest, readonly Signature[]>()

  constructor(parts: AdmissionParts) {
    this.#parts = parts
  }

  /**
   * Throws unless the policy accepts every manifest that `handler` leads to; see `forEachJudged`.
   *
   * @throws PERMISSION_DENIED  it does not
   */
  async admit(
    source: Provider,
    root: Descriptor,
    handler: Handler,
    options: AbortOptions = {},
  ): Promise<void> {
    const { policy } = this.#parts
    if (policy === undefined) return
    await admitEach(policy, desc => this.#image(source, desc), root, handler, options)
  }

  #image(source: Provider, desc: Descriptor): PolicyImage {
    return {
      ...this.#parts.identity,
      digest: desc.digest,
      manifest: asked => readBlob(source, desc, asked),
      signatures: asked => this.signatures(desc.digest, asked),
    }
  }

  /**
   * Writes the signatures of a manifest or index into a store.
   *
   * @returns the labels by which its record keeps them
   */
  async store(content: Ingester, desc: Descriptor, options: AbortOptions = {}): Promise<Labels> {
    if (!isIndex(desc) && !isManifest(desc)) return {}
    return storeSignatures(content, await this.signatures(desc.digest, options), options)
  }

  /** The signatures of a manifest, read once. */
  async signatures(digest: Digest, options: SignatureOptions = {}): Promise<readonly Signature[]> {
    const known = this.#read.get(digest)
    if (known) return known
    const read = (await this.#parts.signatures?.(digest, options)) ?? []
    this.#read.set(digest, read)
    return read
  }
}

/**
 * Throws unless a policy accepts every manifest that `handler` leads to; see `forEachJudged`.
 *
 * @param imageOf  what the policy sees of a manifest
 * @throws PERMISSION_DENIED  it does not
 */
export async function admitEach(
  policy: Policy,
  imageOf: (desc: Descriptor) => PolicyImage,
  root: Descriptor,
  handler: Handler,
  options: AbortOptions = {},
): Promise<void> {
  const judge = async (desc: Descriptor, asked: AbortOptions): Promise<void> => {
    await admit(policy, imageOf(desc), asked)
  }
  try {
    await forEachJudged(handler, root, judge, options)
  } catch (error) {
    if (!hasCode(error, 'PERMISSION_DENIED') || !isIndex(root)) throw error
    const { accepted } = await evaluate(policy, imageOf(root), options)
    throw accepted ? withHint(error) : error
  }
}

const withHint = (error: unknown): OrlopError =>
  new OrlopError(
    'PERMISSION_DENIED',
    `${error instanceof Error ? error.message : String(error)}; its index is signed, but ${onlyIndexSigned}`,
    { cause: error },
  )
