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
  const [first, ...more] = allPem(text)
  return first && { ...first, trailing: first.trailing || more.length > 0 }
}

/** Every block of a PEM text. In one pass: the text may be an attacker's, and long. */
export function allPem(text: string): readonly Pem[] {
  const blocks: Pem[] = []
  for (let at = text.indexOf(begin); at !== -1; at = text.indexOf(begin, at)) {
    const line = text.indexOf(dashes, at + begin.length)
    const label = text.slice(at + begin.length, line)
    const body = line + dashes.length
    const mark = `-----END ${label}-----`
    const end = line === -1 || label.length > 64 ? -1 : text.indexOf(mark, body)
    // Without an end it is no block, nor is what follows.
    if (end === -1) return blocks
    at = end + mark.length
    const next = text.indexOf(begin, at)
    const rest = text.slice(at, next === -1 ? undefined : next)
    blocks.push({ label, der: Buffer.from(text.slice(body, end), 'base64'), trailing: rest.trim() !== '' })
  }
  return blocks
}

const begin = '-----BEGIN '
const dashes = '-----'

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
  checkKey(key, what)
  return key
}

/** Throws for keys of a kind that signatures are not verified with. @throws INVALID_ARGUMENT */
export function checkKey(key: KeyObject, what: string): void {
  const { asymmetricKeyType: kind, asymmetricKeyDetails: details } = key
  if (kind === 'rsa' || kind === 'ed25519' || (kind === 'ec' && curves.has(details?.namedCurve ?? ''))) return
  throw new OrlopError(
    'INVALID_ARGUMENT',
    `${what}: keys of type ${details?.namedCurve ?? kind} are not supported; ECDSA (P-256, P-384, P-521), RSA and Ed25519 are`,
  )
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
