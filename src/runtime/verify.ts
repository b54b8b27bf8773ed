import { has, readBlob } from '../content/blob.ts'
import type { InfoProvider, Provider } from '../content/types.ts'
import { children } from '../handlers/children.ts'
import type { Handler } from '../handlers/types.ts'
import type { SignatureSource } from '../images/signature.ts'
import { storedSignatures } from '../images/stored-signatures.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isIndex } from '../oci/media-type.ts'
import type { Platform } from '../oci/platform.ts'
import type { AbortOptions } from '../options.ts'
import { dockerImage } from '../policy/docker-image.ts'
import { evaluate } from '../policy/evaluate.ts'
import type { Policy, Verdict } from '../policy/types.ts'
import { forEachJudged } from './judged.ts'
import { selectManifests, type Wanted } from './select.ts'

/** What `verify` works with. */
export interface VerifyParts {
  /** The image's indexes and manifests. */
  readonly provider: Provider
  readonly policy: Policy
  readonly signatures: SignatureSource
}

/** Options of `verify`. */
export interface VerifyOptions extends AbortOptions {
  /** For each of them the best manifest; absent: all there are. */
  readonly platforms?: readonly Wanted[] | undefined
  /** Manifests that are absent here are passed over; absent: every manifest must be there. */
  readonly present?: InfoProvider | undefined
}

/** What a policy says of one manifest. */
export interface ManifestVerdict extends Verdict {
  readonly manifest: Descriptor
  /** As its index says. */
  readonly platform?: Platform
}

/** What a policy says of an image. */
export interface Verified {
  /** True: it says yes to every manifest, and there is one at least. */
  readonly accepted: boolean
  readonly manifests: readonly ManifestVerdict[]
  /** Of an image that is an index what the policy would say of that; it does not count. */
  readonly index?: ManifestVerdict
}

/**
 * Judges an image by a policy, with every signature there is, and tells what came of each. A pull with this policy would
 * have the same outcome.
 *
 * A denial is an answer and no error.
 *
 * @param name  what the image is known as, in full: signatures are for a name
 * @throws NOT_FOUND  no manifest for a platform
 * @throws INVALID_ARGUMENT  a name that is no reference
 */
export async function verify(
  { provider, policy, signatures }: VerifyParts,
  name: string,
  target: Descriptor,
  { platforms, present, signal }: VerifyOptions = {},
): Promise<Verified> {
  const select = platforms ? await selectManifests(provider, target, platforms, { signal }) : undefined
  const all = select ? select(children(provider)) : children(provider)
  const manifests: ManifestVerdict[] = []
  let judged = 0
  const verdictOn = async (manifest: Descriptor, options: AbortOptions): Promise<ManifestVerdict> => {
    const image = dockerImage(
      name,
      manifest.digest,
      asked => readBlob(provider, manifest, asked),
      asked => signatures.signatures(name, manifest.digest, asked),
    )
    const { platform } = manifest
    return { manifest, ...(platform && { platform }), ...(await evaluate(policy, image, options)) }
  }
  const judge = async (manifest: Descriptor, options: AbortOptions): Promise<void> => {
    // Several are judged at a time; they are told in the order of their index.
    const at = judged++
    manifests[at] = await verdictOn(manifest, options)
  }
  await forEachJudged(present ? onlyPresent(all, present) : all, target, judge, { signal })
  const index = isIndex(target) ? await verdictOn(target, { signal }) : undefined
  return { accepted: manifests.every(({ accepted }) => accepted), manifests, ...(index && { index }) }
}

const onlyPresent =
  (next: Handler, store: InfoProvider): Handler =>
  async (desc, options) => {
    const found = await next(desc, options)
    const there = await Promise.all(found.map(child => has(store, child, options)))
    return found.filter((_, at) => there[at])
  }

/** The signatures that a store has; it is asked by digest alone. */
export const signaturesIn = (store: Provider & InfoProvider): SignatureSource => ({
  signatures: (_name, digest, options) => storedSignatures(store, digest, options),
})
