import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { OrlopError } from '../errors.ts'

/** A block of PEM. */
export interface Pem {
  readonly label: string
  readonly der: Uint8Array
  /** True when something but blanks stands behind it. */
  readonly trailing: boolean
}

/** The first block of a PEM text, or `undefined`. */
export function firstPem(text: string): Pem | undefined {
  const found = /-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END \1-----/.exec(text)
  if (!found) return undefined
  const [all, label = '', body = ''] = found
  const rest = text.slice(found.index + all.length)
  return { label, der: Buffer.from(body, 'base64'), trailing: rest.trim() !== '' }
}

const curves: ReadonlySet<string> = new Set(['secp224r1', 'prime256v1', 'secp384r1', 'secp521r1'])

/**
 * A public key out of PEM: ECDSA on a curve of NIST's, RSA, or Ed25519.
 *
 * Private keys and certificates are refused, out of which Node would take the public key without a word.
 *
 * @param what  names the key in errors
 * @throws INVALID_ARGUMENT  anything else
 */
export function parsePublicKey(bytes: Uint8Array, what: string): KeyObject {
  const refuse = (why: string, cause?: unknown): never => {
    throw new OrlopError('INVALID_ARGUMENT', `${what}: ${why}`, cause === undefined ? undefined : { cause })
  }
  const pem = firstPem(Buffer.from(bytes).toString('latin1'))
  if (pem === undefined) return refuse('not a public key in PEM')
  if (pem.label !== 'PUBLIC KEY' && pem.label !== 'RSA PUBLIC KEY')
    return refuse(`a PEM ${pem.label} where a PUBLIC KEY is needed`)
  const type = pem.label === 'PUBLIC KEY' ? 'spki' : 'pkcs1'
  let key: KeyObject
  try {
    key = createPublicKey({ key: Buffer.from(pem.der), format: 'der', type })
  } catch (cause) {
    return refuse('not a public key', cause)
  }
  const { asymmetricKeyType: kind, asymmetricKeyDetails: details } = key
  const known =
    kind === 'rsa' || kind === 'ed25519' || (kind === 'ec' && curves.has(details?.namedCurve ?? ''))
  if (!known)
    return refuse(
      `keys of type ${details?.namedCurve ?? kind} are not supported; ECDSA (P-256, P-384, P-521), RSA and Ed25519 are`,
    )
  return key
}

/** The DER of a public key, as SubjectPublicKeyInfo. */
export const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' })

/** A short name of a public key: `sha256:` and the hash of its DER. */
export const fingerprintOf = (key: KeyObject): string =>
  `sha256:${createHash('sha256').update(spkiOf(key)).digest('hex')}`

/** Whether `signature` is one of `key` over `data`, as sigstore makes them: SHA-256, ECDSA in DER, RSA as PKCS #1 v1.5. */
export function isSigned(key: KeyObject, data: Uint8Array, signature: Uint8Array): boolean {
  const hash = key.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  try {
    return verify(hash, data, { key, dsaEncoding: 'der' }, signature)
  } catch {
    // OpenSSL throws for some signatures that are none.
    return false
  }
}
