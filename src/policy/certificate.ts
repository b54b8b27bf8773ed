import { type KeyObject, X509Certificate } from 'node:crypto'
import { OrlopError } from '../errors.ts'
import { type Element, oidOf, readOne, readSequence, tags, timeOf } from './der.ts'
import { allPem } from './public-key.ts'

/** The extensions that are looked at. */
export const extensionIds = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  extendedKeyUsage: '2.5.29.37',
  /** Whom Fulcio asked who the signer is: the text itself. */
  fulcioIssuer: '1.3.6.1.4.1.57264.1.1',
  /** The same as a UTF8String. */
  fulcioIssuer2: '1.3.6.1.4.1.57264.1.8',
} as const

/** An X.509 certificate, parsed and not verified. */
export interface Certificate {
  readonly der: Uint8Array
  readonly key: KeyObject
  /** Names as their DER, which is how issuer and subject are compared. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly notBefore: Date
  readonly notAfter: Date
  /** What it was signed with. */
  readonly algorithm: string
  readonly extensions: ReadonlyMap<string, Extension>
  /** Whether its signature is one of `key`. */
  isSignedBy(key: KeyObject): boolean
  /** Whether it names this host, by RFC 6125. */
  namesHost(host: string): boolean
}

/** One extension. */
export interface Extension {
  readonly critical: boolean
  readonly value: Uint8Array
}

/** More certificates in one text than this are an attack. */
const maxCertificates = 20

/**
 * The certificates of a PEM text, in order.
 *
 * @throws INVALID_ARGUMENT  another thing between them, one that cannot be read, or none
 */
export function parseCertificates(bytes: Uint8Array | string, what: string): readonly Certificate[] {
  const blocks = allPem(typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('latin1'))
  const all = blocks.every(({ label }) => label === 'CERTIFICATE')
  if (!all || blocks.length === 0)
    throw new OrlopError('INVALID_ARGUMENT', `${what}: not certificates in PEM`)
  if (blocks.length > maxCertificates)
    throw new OrlopError('INVALID_ARGUMENT', `${what}: more than ${maxCertificates} certificates`)
  return blocks.map(({ der }) => parseCertificate(der, what))
}

/** A certificate out of its DER. @throws INVALID_ARGUMENT */
export function parseCertificate(der: Uint8Array, what: string): Certificate {
  const refuse = (why: string, cause?: unknown): never => {
    throw new OrlopError('INVALID_ARGUMENT', `${what}: certificate: ${why}`, { cause })
  }
  const [tbs, algorithm] = readSequence(der, what)
  if (tbs === undefined || algorithm === undefined) return refuse('incomplete')
  const fields = readSequence(tbs.whole, what)
  const [version, serial, inner, issuer, validity, subject, spki, ...rest] = fields
  if (
    version?.tag !== 0xa0 ||
    serial?.tag !== tags.integer ||
    !inner ||
    !issuer ||
    !validity ||
    !subject ||
    !spki
  )
    return refuse('not one of version 3')
  if (Buffer.compare(inner.whole, algorithm.whole) !== 0)
    return refuse('it names two algorithms for its signature')
  const [notBefore, notAfter] = readSequence(validity.whole, what)
  const [algorithmId] = readSequence(algorithm.whole, what)
  if (!notBefore || !notAfter || !algorithmId) return refuse('incomplete')
  let parsed: X509Certificate
  let key: KeyObject
  try {
    parsed = new X509Certificate(Buffer.from(der))
    key = parsed.publicKey
  } catch (cause) {
    return refuse('cannot be read', cause)
  }
  const extensions = rest.find(({ tag }) => tag === 0xa3)
  return {
    der,
    key,
    issuer: issuer.whole,
    subject: subject.whole,
    notBefore: timeOf(notBefore, what),
    notAfter: timeOf(notAfter, what),
    algorithm: oidOf(algorithmId, what),
    extensions: extensions ? readExtensions(extensions, what) : new Map(),
    isSignedBy: by => {
      try {
        return parsed.verify(by)
      } catch {
        return false
      }
    },
    namesHost: host =>
      parsed.checkHost(host, { subject: 'never', partialWildcards: false, multiLabelWildcards: false }) !==
      undefined,
  }
}

function readExtensions({ content }: Element, what: string): ReadonlyMap<string, Extension> {
  const extensions = new Map<string, Extension>()
  for (const { whole } of readSequence(content, what)) {
    const fields = readSequence(whole, what)
    const [id, second, third] = fields
    const critical = second?.tag === tags.boolean
    const value = critical ? third : second
    if (id === undefined || value?.tag !== tags.octetString || fields.length !== (critical ? 3 : 2))
      throw new OrlopError('INVALID_ARGUMENT', `${what}: certificate: an extension that cannot be read`)
    const name = oidOf(id, what)
    if (extensions.has(name))
      throw new OrlopError('INVALID_ARGUMENT', `${what}: certificate: extension ${name} comes twice`)
    extensions.set(name, { critical: critical && second.content[0] !== 0, value: value.content })
  }
  return extensions
}

/** Whether it may sign certificates, and how many authorities may stand below it. */
export function authorityOf({ extensions }: Certificate): {
  readonly ca: boolean
  readonly pathLength?: number
} {
  const basic = extensions.get(extensionIds.basicConstraints)
  if (basic === undefined) return { ca: false }
  const [first, second] = readSequence(basic.value, 'basic constraints')
  if (first?.tag !== tags.boolean || first.content[0] === 0) return { ca: false }
  const usage = extensions.get(extensionIds.keyUsage)
  // Bit 5, keyCertSign, counted from the left; the first byte tells how many bits are unused.
  const signs =
    usage === undefined || ((readOne(usage.value, tags.bitString, 'key usage')[1] ?? 0) & 0x04) !== 0
  if (second === undefined) return { ca: signs }
  const [length = 0xff, ...more] = second.content
  return { ca: signs, pathLength: more.length > 0 || length > 0x7f ? 0x7f : length }
}

/** What its key may be used for; `undefined` when it does not say. */
export function purposesOf({ extensions }: Certificate): readonly string[] | undefined {
  const usage = extensions.get(extensionIds.extendedKeyUsage)
  return usage && readSequence(usage.value, 'extended key usage').map(one => oidOf(one, 'extended key usage'))
}

/** The e-mail addresses that it is for. */
export function emailsOf({ extensions }: Certificate): readonly string[] {
  const names = extensions.get(extensionIds.subjectAltName)
  if (names === undefined) return []
  return readSequence(names.value, 'subject alternative name')
    .filter(({ tag }) => tag === 0x81)
    .map(({ content }) => Buffer.from(content).toString('latin1'))
}

/**
 * Whom Fulcio asked who the signer is.
 *
 * @throws PERMISSION_DENIED  it does not say, or says two things
 */
export function fulcioIssuerOf({ extensions }: Certificate): string {
  const [first, second] = [
    extensions.get(extensionIds.fulcioIssuer),
    extensions.get(extensionIds.fulcioIssuer2),
  ]
  const older = first && Buffer.from(first.value).toString('utf8')
  const newer = second && Buffer.from(readOne(second.value, tags.utf8String, 'issuer')).toString('utf8')
  const issuer = newer ?? older
  if (issuer === undefined || (older !== undefined && older !== issuer))
    throw new OrlopError('PERMISSION_DENIED', 'its certificate does not say who vouched for the signer')
  return issuer
}

/** True for the same certificate. */
export const sameCertificate = (a: Certificate, b: Certificate): boolean => Buffer.compare(a.der, b.der) === 0
