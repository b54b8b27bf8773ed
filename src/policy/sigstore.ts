import { isOrlopError, OrlopError } from '../errors.ts'
import { type SigstoreSignature, sigstoreAnnotations } from '../images/signature.ts'
import { checkFulcio, checkPki, readCertified } from './certified.ts'
import { checkPayload, parsePayload } from './payload.ts'
import { checkKey, fingerprintOf, isSigned, spkiOf } from './public-key.ts'
import { checkRekorBundle } from './rekor.ts'
import type { SigstoreKeys, TrustedFulcio, TrustedKeys, TrustedPki } from './sigstore-keys.ts'
import { asBase64 } from './strict.ts'
import type { Claim, Signed, SigstoreSigned } from './types.ts'

/**
 * Verifies a sigstore signature: made with one of the keys, or with that of a certificate that is trusted; logged where that
 * is asked for; over this manifest and a name that may stand for the image's.
 *
 * @throws OrlopError  it is not; the text says why
 */
export function verifySigstore(
  made: SigstoreSignature,
  trust: SigstoreKeys,
  image: Claim,
  { signedIdentity }: Pick<SigstoreSigned, 'signedIdentity'>,
): Signed {
  const signature = asBase64(needed(made, 'signature'), 'signature')
  const { signer, loggedAt } = authorOf(trust, { made, signature })
  const content = parsePayload(made.payload, 'cosign container image signature')
  checkPayload(content, image, signedIdentity)
  const { digest, reference, createdAt } = content
  const signedAt = loggedAt ?? createdAt
  return { digest, reference, signer, ...(signedAt && { signedAt }) }
}

interface Made {
  readonly made: SigstoreSignature
  readonly signature: Uint8Array
}

/** Whose signature it is, once it is proved to be theirs. */
interface Author {
  readonly signer: string
  readonly loggedAt?: Date | undefined
}

function authorOf(trust: SigstoreKeys, what: Made): Author {
  switch (trust.kind) {
    case 'keys':
      return byKey(trust, what)
    case 'fulcio':
      return byFulcio(trust, what)
    case 'pki':
      return byPki(trust, what)
  }
}

function byKey({ keys, logs }: TrustedKeys, { made, signature }: Made): Author {
  const { payload } = made
  const key = keys.find(one => isSigned(one, payload, signature))
  if (key === undefined)
    throw denied('it was not made with a key that is trusted, or the payload was changed')
  const logged = { signer: spkiOf(key), signature, payload }
  const loggedAt = logs && checkRekorBundle(needed(made, 'bundle'), logs, logged)
  return { signer: fingerprintOf(key), loggedAt }
}

function byFulcio(trust: TrustedFulcio, { made, signature }: Made): Author {
  const { payload } = made
  const certified = readCertified(needed(made, 'certificate'), annotation(made, 'chain'))
  const logged = { signer: certified.leaf.der, signature, payload }
  const loggedAt = checkRekorBundle(needed(made, 'bundle'), trust.logs, logged)
  const signer = checkFulcio(certified, trust, loggedAt)
  checkSigned(certified.leaf, { made, signature })
  return { signer, loggedAt }
}

function byPki(trust: TrustedPki, { made, signature }: Made): Author {
  const certified = readCertified(needed(made, 'certificate'), annotation(made, 'chain'))
  const signer = checkPki(certified, trust, new Date())
  checkSigned(certified.leaf, { made, signature })
  return { signer }
}

function checkSigned(
  { key }: { readonly key: Parameters<typeof isSigned>[0] },
  { made, signature }: Made,
): void {
  checkKey(key, 'its certificate')
  if (!isSigned(key, made.payload, signature))
    throw denied('it was not made with the key of its certificate, or the payload was changed')
}

type Name = keyof typeof sigstoreAnnotations

function annotation({ annotations }: SigstoreSignature, name: Name): string | undefined {
  const key = sigstoreAnnotations[name]
  return Object.hasOwn(annotations, key) ? annotations[key] : undefined
}

function needed(made: SigstoreSignature, name: Name): string {
  const text = annotation(made, name)
  if (text === undefined) throw denied(`it has no annotation ${sigstoreAnnotations[name]}`)
  return text
}

const denied = (why: string): OrlopError => new OrlopError('PERMISSION_DENIED', why)

/** The text of an error that stands for a rejection. */
export const reasonOf = (error: unknown): string =>
  isOrlopError(error) || error instanceof Error ? error.message : String(error)
