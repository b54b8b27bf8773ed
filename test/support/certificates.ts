import { randomBytes, sign } from 'node:crypto'
import { type SigningKey, signingKey } from './signing.ts'

/** What a certificate says; what is left out is as in a sound one. */
export interface CertificateInit {
  readonly name: string
  readonly key?: SigningKey
  /** Who signs it; default: itself. */
  readonly issuer?: MadeCertificate
  /** Another name than the issuer's own. */
  readonly issuerName?: string
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** True: an authority; a number: with so many below it. */
  readonly ca?: boolean | number
  /** By OID. Default of what is no authority: signing code. */
  readonly purposes?: readonly string[]
  /** Bits of the key's usage, of the first byte. */
  readonly usage?: number
  readonly email?: string
  readonly host?: string
  /** As older and newer certificates of Fulcio have it. */
  readonly fulcioIssuer?: string
  readonly fulcioIssuer2?: string
  /** Further extensions: OID, whether critical, and DER. */
  readonly extensions?: readonly (readonly [oid: string, critical: boolean, value: Buffer])[]
  /** OID of the algorithm that it claims to be signed with. */
  readonly algorithm?: string
  /** OID inside, where that is to differ. */
  readonly innerAlgorithm?: string
}

/** A certificate and its key. */
export interface MadeCertificate {
  readonly name: string
  readonly key: SigningKey
  readonly der: Buffer
  readonly pem: string
}

export const codeSigning = '1.3.6.1.5.5.7.3.3'
const ecdsaSha256 = '1.2.840.10045.4.3.2'

/** Makes a certificate, signed with ECDSA and SHA-256. */
export function makeCertificate(init: CertificateInit): MadeCertificate {
  const { name, key = signingKey(), issuer, algorithm = ecdsaSha256, innerAlgorithm = algorithm } = init
  const signer = issuer?.key ?? key
  const body = sequence(
    tagged(0xa0, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(1), randomBytes(8)])),
    sequence(oid(innerAlgorithm)),
    nameOf(init.issuerName ?? issuer?.name ?? name),
    sequence(
      time(init.notBefore ?? new Date(Date.now() - 3_600_000)),
      time(init.notAfter ?? new Date(Date.now() + 3_600_000)),
    ),
    nameOf(name),
    key.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensionsOf(init).map(extension))),
  )
  const signature = sign('sha256', body, signer.privateKey)
  const der = sequence(body, sequence(oid(algorithm)), tagged(0x03, Buffer.concat([Buffer.of(0), signature])))
  return { name, key, der, pem: pemOf(der) }
}

/** DER in PEM. */
export const pemOf = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`

type Extension = readonly [oid: string, critical: boolean, value: Buffer]

function extensionsOf(init: CertificateInit): readonly Extension[] {
  const { ca = false, purposes, usage, email, host, fulcioIssuer, fulcioIssuer2, extensions = [] } = init
  const limit = typeof ca === 'number' ? [integer(Buffer.of(ca))] : []
  const names = [
    ...(email === undefined ? [] : [tagged(0x81, Buffer.from(email))]),
    ...(host === undefined ? [] : [tagged(0x82, Buffer.from(host))]),
  ]
  const uses = purposes ?? (ca === false ? [codeSigning] : [])
  return [
    ...(ca === false
      ? []
      : [['2.5.29.19', true, sequence(tagged(0x01, Buffer.of(0xff)), ...limit)] as const]),
    ...(usage === undefined ? [] : [['2.5.29.15', true, tagged(0x03, Buffer.of(0, usage))] as const]),
    ...(uses.length === 0 ? [] : [['2.5.29.37', false, sequence(...uses.map(oid))] as const]),
    ...(names.length === 0 ? [] : [['2.5.29.17', true, sequence(...names)] as const]),
    ...(fulcioIssuer === undefined
      ? []
      : [['1.3.6.1.4.1.57264.1.1', false, Buffer.from(fulcioIssuer)] as const]),
    ...(fulcioIssuer2 === undefined
      ? []
      : [['1.3.6.1.4.1.57264.1.8', false, tagged(0x0c, Buffer.from(fulcioIssuer2))] as const]),
    ...extensions,
  ]
}

const extension = ([id, critical, value]: Extension): Buffer =>
  sequence(oid(id), ...(critical ? [tagged(0x01, Buffer.of(0xff))] : []), tagged(0x04, value))

/** A value of DER. */
export function tagged(tag: number, content: Buffer): Buffer {
  const { byteLength } = content
  const digits =
    byteLength < 0x80 ? [] : byteLength < 0x100 ? [byteLength] : [byteLength >> 8, byteLength & 0xff]
  const length = digits.length === 0 ? [byteLength] : [0x80 | digits.length, ...digits]
  return Buffer.concat([Buffer.of(tag, ...length), content])
}

const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, Buffer.concat(parts))
const integer = (content: Buffer): Buffer => tagged(0x02, content)
const nameOf = (name: string): Buffer =>
  sequence(tagged(0x31, sequence(oid('2.5.4.3'), tagged(0x0c, Buffer.from(name)))))
const time = (date: Date): Buffer =>
  tagged(0x18, Buffer.from(date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')))

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap(number => {
    const digits = [number & 0x7f]
    for (let left = Math.floor(number / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift((left & 0x7f) | 0x80)
    return digits
  })
  return tagged(0x06, Buffer.from(bytes))
}
