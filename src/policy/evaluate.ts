import { OrlopError } from '../errors.ts'
import {
  type Signature,
  type SigstoreSignature,
  type SimpleSignature,
  sigstoreSignatureType,
} from '../images/signature.ts'
import { formatReference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import { loadKeyring, verifySimple } from './signed-by.ts'
import { reasonOf, verifySigstore } from './sigstore.ts'
import { loadSigstoreKeys } from './sigstore-keys.ts'
import type {
  Claim,
  Policy,
  PolicyImage,
  Requirement,
  RequirementVerdict,
  SignatureVerdict,
  Signed,
  SignedBy,
  SigstoreSigned,
  Verdict,
} from './types.ts'

/**
 * Judges a manifest: all requirements of the one most specific scope that is configured for it must accept. A requirement
 * for a signature accepts when one signature satisfies it.
 *
 * What cannot be verified is not accepted; an error here is one of reading the signatures.
 */
export async function evaluate(
  policy: Policy,
  image: PolicyImage,
  options: AbortOptions = {},
): Promise<Verdict> {
  const { scope, requirements } = requirementsFor(policy, image)
  const verdicts: RequirementVerdict[] = []
  for (const requirement of requirements) verdicts.push(await judge(requirement, image, options))
  // An empty list accepts nothing; the parser refuses one, but a policy may be made by hand.
  const accepted = verdicts.length > 0 && verdicts.every(verdict => verdict.accepted)
  return { accepted, scope, requirements: verdicts }
}

/**
 * Throws unless the policy accepts the image.
 *
 * @throws PERMISSION_DENIED  the text names the image, the scope, each requirement that denies and why
 */
export async function admit(
  policy: Policy,
  image: PolicyImage,
  options: AbortOptions = {},
): Promise<Verdict> {
  const verdict = await evaluate(policy, image, options)
  if (verdict.accepted) return verdict
  throw new OrlopError(
    'PERMISSION_DENIED',
    `${nameOf(image)}: the policy for ${verdict.scope} denies it: ${whyNot(verdict)}`,
  )
}

/** Which requirements apply to an image, and the scope that they are of. */
export function requirementsFor(
  policy: Policy,
  { transport, scopes }: Pick<PolicyImage, 'transport' | 'scopes'>,
): { readonly scope: string; readonly requirements: readonly Requirement[] } {
  const rules = policy.transports.get(transport)
  for (const scope of [...scopes, '']) {
    const requirements = rules?.get(scope)
    if (requirements) return { scope: `${transport}:${scope}`, requirements }
  }
  return { scope: 'default', requirements: policy.default }
}

/** Why a verdict is what it is, each requirement that denies in turn. */
export const whyNot = ({ requirements }: Pick<Verdict, 'requirements'>): string =>
  requirements
    .filter(({ accepted }) => !accepted)
    .map(({ type, reason }) => `${type}: ${reason ?? 'not satisfied'}`)
    .join('; ') || 'no requirements'

const nameOf = ({ reference, digest }: PolicyImage): string => {
  const name = reference ? formatReference(reference) : ''
  if (name === '') return digest
  return name.endsWith(digest) ? name : `${name} (${digest})`
}

function judge(
  requirement: Requirement,
  image: PolicyImage,
  options: AbortOptions,
): Promise<RequirementVerdict> {
  const { type } = requirement
  switch (type) {
    case 'insecureAcceptAnything':
      return Promise.resolve({ type, accepted: true, signatures: [] })
    case 'reject':
      return Promise.resolve(refusal(type, 'everything of this scope is rejected'))
    case 'signedBaseLayer':
      return Promise.resolve(refusal(type, 'cannot be verified, here as in containers/image'))
    case 'signedBy':
      return judgeSignedBy(requirement, image, options)
    case 'sigstoreSigned':
      return judgeSigstoreSigned(requirement, image, options)
  }
}

const refusal = (type: Requirement['type'], reason: string): RequirementVerdict => ({
  type,
  accepted: false,
  reason,
  signatures: [],
})

async function judgeSignedBy(
  requirement: SignedBy,
  image: PolicyImage,
  options: AbortOptions,
): Promise<RequirementVerdict> {
  const fits = (signature: Signature): signature is SimpleSignature => signature.format === 'simple-signing'
  const keyring = lazy(() => loadKeyring(requirement, options))
  const verify = async (signature: SimpleSignature, claim: Claim): Promise<Signed> =>
    verifySimple(signature, await keyring(), claim, requirement)
  return judgeSignatures(requirement.type, image, fits, verify, options)
}

async function judgeSigstoreSigned(
  requirement: SigstoreSigned,
  image: PolicyImage,
  options: AbortOptions,
): Promise<RequirementVerdict> {
  const fits = (signature: Signature): signature is SigstoreSignature =>
    signature.format === 'sigstore' && signature.mediaType === sigstoreSignatureType
  const keys = lazy(() => loadSigstoreKeys(requirement, options))
  const verify = async (signature: SigstoreSignature, claim: Claim): Promise<Signed> =>
    verifySigstore(signature, await keys(), claim, requirement)
  return judgeSignatures(requirement.type, image, fits, verify, options)
}

const lazy = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}

async function judgeSignatures<S extends Signature>(
  type: Requirement['type'],
  image: PolicyImage,
  fits: (signature: Signature) => signature is S,
  verify: (signature: S, claim: Claim) => Promise<Signed>,
  { signal }: AbortOptions,
): Promise<RequirementVerdict> {
  const all = await image.signatures({ signal, required: true })
  const own = all.filter(fits)
  const signatures: SignatureVerdict[] = []
  const claim = { reference: image.reference, manifest: await image.manifest({ signal }) }
  for (const signature of own) {
    signal?.throwIfAborted()
    signatures.push(await verdictOf(signature, () => verify(signature, claim)))
  }
  signal?.throwIfAborted()
  if (signatures.some(({ accepted }) => accepted)) return { type, accepted: true, signatures }
  return { type, accepted: false, reason: summary(signatures, all.length - own.length), signatures }
}

async function verdictOf({ format }: Signature, verify: () => Promise<Signed>): Promise<SignatureVerdict> {
  try {
    return { format, accepted: true, signed: await verify() }
  } catch (error) {
    return { format, accepted: false, reason: reasonOf(error) }
  }
}

function summary(signatures: readonly SignatureVerdict[], others: number): string {
  const besides = others === 0 ? '' : ` (${others} of another kind)`
  if (signatures.length === 0) return `a signature is required, and there is none${besides}`
  const reasons = signatures.map(({ reason = '' }, at) => `signature ${at + 1}: ${reason}`)
  return reasons.join('; ') + besides
}
