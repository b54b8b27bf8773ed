import type { KeyObject } from 'node:crypto'
import { isOrlopError, OrlopError } from '../errors.ts'
import { type SigstoreSignature, sigstoreAnnotations } from '../images/signature.ts'
import type { AbortOptions } from '../options.ts'
import { checkPayload, parsePayload } from './payload.ts'
import { fingerprintOf, isSigned, parsePublicKey, spkiOf } from './public-key.ts'
import { checkRekorBundle } from './rekor.ts'
import { loadSources } from './sources.ts'
import { asBase64 } from './strict.ts'
import type { Claim, Signed, SigstoreSigned, Sources } from './types.ts'

/** The keys that a requirement names, read. */
export interface SigstoreKeys {
  readonly keys: readonly KeyObject[]
  readonly logs?: readonly KeyObject[]
}

/**
 * Reads the keys of a requirement.
 *
 * @throws UNIMPLEMENTED  certificates (fulcio, pki) are not verified here, so what asks for them is never satisfied
 * @throws INVALID_ARGUMENT, NOT_FOUND  a key that is none, or not there
 */
export async function loadSigstoreKeys(
  { trust, rekor }: SigstoreSigned,
  options: AbortOptions,
): Promise<SigstoreKeys> {
  if (trust.kind !== 'keys')
    throw new OrlopError(
      'UNIMPLEMENTED',
      `signatures by certificates (${trust.kind}) cannot be verified by this version`,
    )
  const keys = await load(trust.keys, 'public key', options)
  if (rekor === undefined) return { keys }
  const logs = await load(rekor, 'Rekor public key', options)
  if (logs.some(({ asymmetricKeyType }) => asymmetricKeyType !== 'ec'))
    throw new OrlopError('INVALID_ARGUMENT', 'Rekor public key: not one of ECDSA')
  return { keys, logs }
}

const load = async (sources: Sources, what: string, options: AbortOptions): Promise<readonly KeyObject[]> =>
  (await loadSources(sources, what, options)).map(bytes => parsePublicKey(bytes, what))

/**
 * Verifies a sigstore signature: made with one of the keys, logged where that is asked for, over this manifest and a name
 * that may stand for the image's.
 *
 * @throws OrlopError  it is not; the text says why
 */
export function verifySigstore(
  { annotations, payload }: SigstoreSignature,
  { keys, logs }: SigstoreKeys,
  image: Claim,
  { signedIdentity }: Pick<SigstoreSigned, 'signedIdentity'>,
): Signed {
  const signature = asBase64(annotation(annotations, 'signature'), 'signature')
  const key = keys.find(one => isSigned(one, payload, signature))
  if (key === undefined)
    throw denied('it was not made with a key that is trusted, or the payload was changed')
  const loggedAt = logs && logged({ annotations, payload }, { key, logs, signature })
  const content = parsePayload(payload, 'cosign container image signature')
  checkPayload(content, image, signedIdentity)
  const { digest, reference, createdAt } = content
  const signedAt = loggedAt ?? createdAt
  return { digest, reference, signer: fingerprintOf(key), ...(signedAt && { signedAt }) }
}

interface By {
  readonly key: KeyObject
  readonly logs: readonly KeyObject[]
  readonly signature: Uint8Array
}

const logged = (
  { annotations, payload }: Pick<SigstoreSignature, 'annotations' | 'payload'>,
  { key, logs, signature }: By,
): Date =>
  checkRekorBundle(annotation(annotations, 'bundle'), logs, { signer: spkiOf(key), signature, payload })

function annotation(annotations: SigstoreSignature['annotations'], name: 'signature' | 'bundle'): string {
  const key = sigstoreAnnotations[name]
  const text = Object.hasOwn(annotations, key) ? annotations[key] : undefined
  if (text === undefined) throw denied(`it has no annotation ${key}`)
  return text
}

const denied = (why: string): OrlopError => new OrlopError('PERMISSION_DENIED', why)

/** The text of an error that stands for a rejection. */
export const reasonOf = (error: unknown): string =>
  isOrlopError(error) || error instanceof Error ? error.message : String(error)
