import type { PublicKey } from 'openpgp'
import { OrlopError } from '../errors.ts'
import { maxSignatureSize } from '../images/signature.ts'

/** Keys that OpenPGP messages are verified with. */
export interface Keyring {
  /** How many keys there are. */
  readonly size: number
  /**
   * The contents of a signed message, and who signed it.
   *
   * @throws PERMISSION_DENIED  not one valid signature of a key of this ring, or the key is expired or revoked
   */
  open(message: Uint8Array): Promise<OpenedMessage>
}

/** A message whose signature was verified. */
export interface OpenedMessage {
  readonly contents: Uint8Array
  /** Of the primary key, upper-case hexadecimal. */
  readonly fingerprint: string
}

/**
 * Reads keys, armored or binary, with the optional package `openpgp`, which is loaded here.
 *
 * @throws UNIMPLEMENTED  the package is not installed
 * @throws INVALID_ARGUMENT  no keys in OpenPGP's format
 */
export async function openKeyring(contents: readonly Uint8Array[]): Promise<Keyring> {
  const openpgp = await load()
  const keys: PublicKey[] = []
  for (const bytes of contents) keys.push(...(await readKeys(openpgp, bytes)))
  return { size: keys.length, open: message => open(openpgp, keys, message) }
}

type OpenPgp = typeof import('openpgp')

async function load(): Promise<OpenPgp> {
  let openpgp: OpenPgp
  try {
    openpgp = await import('openpgp')
  } catch (cause) {
    throw unusable('is not installed: npm install openpgp', { cause })
  }
  // 6.3.0 brought the limit; versions before 6.1.1 could be made to accept contents that were not signed.
  if (!Object.hasOwn(openpgp.config, 'maxDecompressedMessageSize'))
    throw unusable('is too old: 6.3.0 or later is needed, npm install openpgp@latest')
  return openpgp
}

const unusable = (why: string, options?: ErrorOptions): OrlopError =>
  new OrlopError('UNIMPLEMENTED', `signatures by OpenPGP need the package "openpgp", which ${why}`, options)

async function readKeys(openpgp: OpenPgp, bytes: Uint8Array): Promise<readonly PublicKey[]> {
  const armored = Buffer.from(bytes).toString('latin1')
  try {
    const keys = armored.trimStart().startsWith('-----BEGIN')
      ? await openpgp.readKeys({ armoredKeys: armored })
      : await openpgp.readKeys({ binaryKeys: new Uint8Array(bytes) })
    return keys.map(key => key.toPublic())
  } catch (cause) {
    throw new OrlopError('INVALID_ARGUMENT', `public key: not of OpenPGP: ${textOf(cause)}`, { cause })
  }
}

async function open(openpgp: OpenPgp, keys: readonly PublicKey[], bytes: Uint8Array): Promise<OpenedMessage> {
  // A small message may unfold into a large one.
  const config = { maxDecompressedMessageSize: maxSignatureSize }
  try {
    const message = await openpgp.readMessage({ binaryMessage: new Uint8Array(bytes), config })
    const { data, signatures } = await openpgp.verify({
      message,
      verificationKeys: [...keys],
      format: 'binary',
      config,
    })
    const [only] = signatures
    if (only === undefined || signatures.length !== 1)
      throw denied(`${signatures.length} signatures where one is needed`)
    await only.verified
    const fingerprint = await signerOf(keys, only.keyID)
    return { contents: data, fingerprint }
  } catch (error) {
    if (error instanceof OrlopError) throw error
    throw new OrlopError('PERMISSION_DENIED', textOf(error), { cause: error })
  }
}

/** The fingerprint of the key that signed; one that has expired since, as a whole or in the part that signed, is refused. */
async function signerOf(
  keys: readonly PublicKey[],
  id: Parameters<PublicKey['getKeys']>[0],
): Promise<string> {
  const key = keys.find(one => one.getKeys(id).length > 0)
  if (key === undefined) throw denied('the key that signed is not among those that are trusted')
  // Now, and not when the signature says it was made: whoever has the key can write any date.
  await key.getSigningKey(id)
  return key.getFingerprint().toUpperCase()
}

const denied = (why: string): OrlopError => new OrlopError('PERMISSION_DENIED', why)

const textOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, 300)
