import { OrlopError } from '../errors.ts'
import type { SimpleSignature } from '../images/signature.ts'
import type { AbortOptions } from '../options.ts'
import { type Keyring, openKeyring } from './openpgp.ts'
import { checkPayload, parsePayload } from './payload.ts'
import { loadSources } from './sources.ts'
import type { Claim, Signed, SignedBy } from './types.ts'

/**
 * Reads the keys of a requirement.
 *
 * @throws UNIMPLEMENTED  a type of keys that is not supported, or the package `openpgp` is missing
 * @throws INVALID_ARGUMENT, NOT_FOUND  keys that are none, or not there
 */
export async function loadKeyring({ keyType, keys }: SignedBy, options: AbortOptions): Promise<Keyring> {
  if (keyType !== 'GPGKeys')
    throw new OrlopError('UNIMPLEMENTED', `keyType ${keyType} is not supported; GPGKeys is`)
  const keyring = await openKeyring(await loadSources(keys, 'public key', options))
  if (keyring.size === 0) throw new OrlopError('INVALID_ARGUMENT', 'no public keys')
  return keyring
}

/**
 * Verifies a simple signing: an OpenPGP message of one of the keys, whose contents are over this manifest and a name that
 * may stand for the image's.
 *
 * @throws OrlopError  it is not; the text says why
 */
export async function verifySimple(
  { bytes }: SimpleSignature,
  keyring: Keyring,
  image: Claim,
  { signedIdentity }: Pick<SignedBy, 'signedIdentity'>,
): Promise<Signed> {
  const { contents, fingerprint } = await keyring.open(bytes)
  const payload = parsePayload(contents, 'atomic container signature')
  checkPayload(payload, image, signedIdentity)
  const { digest, reference, createdAt } = payload
  return { digest, reference, signer: fingerprint, ...(createdAt && { signedAt: createdAt }) }
}
