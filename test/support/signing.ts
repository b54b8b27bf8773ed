import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { type SigstoreSignature, sigstoreSignatureType } from '../../src/images/signature.ts'

/** A key pair to sign with as sigstore does. */
export interface SigningKey {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** The public key in PEM. */
  readonly pem: string
}

/** Kinds of keys that sigstore's tools make or take. */
export type KeyKind = 'P-256' | 'P-384' | 'P-521' | 'rsa' | 'ed25519'

/** A fresh key pair. */
export function signingKey(kind: KeyKind = 'P-256'): SigningKey {
  const pair =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : kind === 'ed25519'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: kind })
  return { ...pair, pem: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}

/** A payload as cosign writes it. */
export const sigstorePayload = (digest: string, reference: string, optional: unknown = null): Buffer =>
  Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': reference },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional,
    }),
  )

/** A payload as simple signing has it. */
export const simplePayload = (digest: string, reference: string, optional: unknown = {}): Buffer =>
  Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': reference },
        image: { 'docker-manifest-digest': digest },
        type: 'atomic container signature',
      },
      optional,
    }),
  )

/** The raw signature of a payload. */
export const signBytes = ({ privateKey }: SigningKey, payload: Uint8Array): Buffer =>
  sign(privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, privateKey)

/** What a log is told, and what a test may change of it. */
export interface BundleInit {
  readonly log: SigningKey
  readonly key: SigningKey
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  /** Changes the entry before the log signs it. */
  readonly body?: (entry: RekorEntry) => unknown
  readonly integratedTime?: number
}

/** A hashedrekord. */
export interface RekorEntry {
  apiVersion: string
  kind: string
  spec: {
    data: { hash: { algorithm: string; value: string } }
    signature: { content: string; publicKey: { content: string } }
  }
}

const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64')

/** The bundle that a Rekor log would give for a signature. */
export function rekorBundle({
  log,
  key,
  payload,
  signature,
  body,
  integratedTime = 1_700_000_000,
}: BundleInit) {
  const entry: RekorEntry = {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm: 'sha256', value: createHash('sha256').update(payload).digest('hex') } },
      signature: { content: base64(signature), publicKey: { content: base64(key.pem) } },
    },
  }
  // Written by hand in the order of RFC 8785, so that orlop's own canonical form is held against another.
  const payloadText = `{"body":${JSON.stringify(base64(JSON.stringify(body ? body(entry) : entry)))},"integratedTime":${integratedTime},"logID":"c0d2","logIndex":7}`
  return {
    SignedEntryTimestamp: base64(sign('sha256', Buffer.from(payloadText), log.privateKey)),
    // Another order than the signed one, as cosign's.
    Payload: Object.fromEntries(Object.entries(JSON.parse(payloadText)).reverse()),
  }
}

/** How a sigstore signature is made. */
export interface SigstoreInit {
  readonly key: SigningKey
  readonly digest: string
  readonly reference: string
  /** Logs it, too. */
  readonly log?: SigningKey
  readonly optional?: unknown
}

/** A signature as cosign attaches it. */
export function sigstoreSignature({
  key,
  digest,
  reference,
  log,
  optional,
}: SigstoreInit): SigstoreSignature {
  const payload = sigstorePayload(digest, reference, optional)
  const signature = signBytes(key, payload)
  const bundle = log && JSON.stringify(rekorBundle({ log, key, payload, signature }))
  return {
    format: 'sigstore',
    mediaType: sigstoreSignatureType,
    payload,
    annotations: {
      'dev.cosignproject.cosign/signature': base64(signature),
      ...(bundle && { 'dev.sigstore.cosign/bundle': bundle }),
    },
  }
}
