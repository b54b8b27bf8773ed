import type { KeyObject } from 'node:crypto'
import { createHash } from 'node:crypto'
import { OrlopError } from '../errors.ts'
import { asObject, asString, parseJson } from '../oci/json.ts'
import { firstPem, isSigned } from './public-key.ts'
import { asBase64, exactObject, invalid } from './strict.ts'

/** What a Rekor log must have logged. */
export interface Logged {
  /** DER of the key or certificate that the signature was made with. */
  readonly signer: Uint8Array
  readonly signature: Uint8Array
  readonly payload: Uint8Array
}

const what = 'Rekor bundle'

/**
 * Checks a log's promise (SET) that it holds a signature: signed by one of `logs`, and over an entry of just this signature,
 * by just this signer, of just this payload.
 *
 * @param bundle  the annotation `dev.sigstore.cosign/bundle`
 * @param logs  the keys of logs that are believed; ECDSA
 * @returns when the log took the entry in, by its clock
 * @throws PERMISSION_DENIED, INVALID_ARGUMENT  it is not so
 */
export function checkRekorBundle(bundle: string, logs: readonly KeyObject[], expected: Logged): Date {
  const json = exactObject(parseJson(bundle, what), what, ['SignedEntryTimestamp', 'Payload'])
  const promise = asBase64(json.SignedEntryTimestamp, `${what}.SignedEntryTimestamp`)
  const entry = readEntry(json.Payload)
  const signed = Buffer.from(canonical(entry))
  if (!logs.some(key => key.asymmetricKeyType === 'ec' && isSigned(key, signed, promise)))
    throw denied('its timestamp is not signed by a log that is trusted')
  checkBody(asBase64(entry.body, `${what}.Payload.body`), expected)
  return new Date(entry.integratedTime * 1000)
}

interface Entry {
  readonly body: string
  readonly integratedTime: number
  readonly logID: string
  readonly logIndex: number
}

function readEntry(value: unknown): Entry {
  const at = `${what}.Payload`
  const json = exactObject(value, at, ['body', 'integratedTime', 'logIndex', 'logID'])
  return {
    body: asString(json.body, `${at}.body`),
    integratedTime: asWhole(json.integratedTime, `${at}.integratedTime`),
    logID: asString(json.logID, `${at}.logID`),
    logIndex: asWhole(json.logIndex, `${at}.logIndex`),
  }
}

const asWhole = (value: unknown, at: string): number => {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value + 0
  throw invalid(at, 'not a whole number')
}

/** RFC 8785 for the four fields of an entry: keys in order, no blanks, numbers and strings as JSON.stringify writes them. */
const canonical = ({ body, integratedTime, logID, logIndex }: Entry): string =>
  JSON.stringify({ body, integratedTime, logID, logIndex })

/** The entry itself: a hashedrekord 0.0.1. It was signed by the log, so it may have keys that are not known here. */
function checkBody(bytes: Uint8Array, { signer, signature, payload }: Logged): void {
  const at = `${what}: log entry`
  const entry = asObject(parseJson(bytes, at), at)
  if (entry.kind !== 'hashedrekord' || entry.apiVersion !== '0.0.1')
    throw invalid(at, 'not a hashedrekord of version 0.0.1')
  const spec = asObject(entry.spec, `${at}.spec`)
  const made = asObject(spec.signature, `${at}.spec.signature`)
  const by = asObject(made.publicKey, `${at}.spec.signature.publicKey`)
  const pem = firstPem(
    Buffer.from(asBase64(by.content, `${at}.spec.signature.publicKey.content`)).toString('latin1'),
  )
  if (pem === undefined || pem.trailing) throw invalid(at, 'its public key is not one block of PEM')
  if (!same(pem.der, signer)) throw denied('its log entry names another signer')
  if (!same(asBase64(made.content, `${at}.spec.signature.content`), signature))
    throw denied('its log entry has another signature')
  const hash = asObject(asObject(spec.data, `${at}.spec.data`).hash, `${at}.spec.data.hash`)
  if (hash.algorithm !== 'sha256') throw invalid(at, 'its hash is not of algorithm sha256')
  const value = asString(hash.value, `${at}.spec.data.hash.value`).toLowerCase()
  if (value !== createHash('sha256').update(payload).digest('hex'))
    throw denied('its log entry is of another payload')
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

const denied = (why: string): OrlopError => new OrlopError('PERMISSION_DENIED', `${what}: ${why}`)
