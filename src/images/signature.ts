import { OrlopError } from '../errors.ts'
import type { Digest } from '../oci/digest.ts'
import { asObject, asString, asStringMap, parseJson } from '../oci/json.ts'
import type { AbortOptions } from '../options.ts'

/** A signature of a manifest, as it came. Nothing it says is to be believed before a policy has accepted it. */
export type Signature = SimpleSignature | SigstoreSignature

/** Simple signing: an OpenPGP message that holds what is signed. */
export interface SimpleSignature {
  readonly format: 'simple-signing'
  readonly bytes: Uint8Array
}

/** What sigstore's tools attach to a manifest: a payload, and in annotations its signature and proofs. */
export interface SigstoreSignature {
  readonly format: 'sigstore'
  /** `sigstoreSignatureType` for signatures; attestations and others have types of their own. */
  readonly mediaType: string
  readonly payload: Uint8Array
  readonly annotations: Readonly<Record<string, string>>
}

/** The media type of a payload that is a signature, and not an attestation or another thing attached. */
export const sigstoreSignatureType = 'application/vnd.dev.cosign.simplesigning.v1+json'

/** The annotations of a sigstore signature that are looked at. */
export const sigstoreAnnotations = {
  signature: 'dev.cosignproject.cosign/signature',
  /** Rekor's promise that it has the signature in its log. */
  bundle: 'dev.sigstore.cosign/bundle',
  certificate: 'dev.sigstore.cosign/certificate',
  chain: 'dev.sigstore.cosign/chain',
} as const

/** More signatures of one manifest are not read: 128, as containers/image has it. */
export const maxSignatures = 128
/** A signature larger than this is refused: 1 MiB. containers/image allows 4; real ones have some hundred bytes. */
export const maxSignatureSize = 1024 * 1024
/** A payload that is attached, or all signatures that a registry keeps of a manifest: 4 MiB. */
export const maxPayloadSize = 4 * 1024 * 1024
/** A signature as `encodeSignature` writes it: base64 and annotations make more of its payload. */
export const maxEncodedSize = 4 * maxPayloadSize

/** How the signatures of a manifest are read. */
export interface SignatureOptions extends AbortOptions {
  /** True: signatures are required, so places are asked too where it costs a request to learn that they have none. */
  readonly required?: boolean | undefined
}

/** Knows the signatures of manifests. */
export interface SignatureSource {
  /**
   * Every signature of a manifest, none verified; empty when there are none.
   *
   * @param reference  the name asked for; whatever mirror answers, the signatures are those of this name
   * @throws RESOURCE_EXHAUSTED  too many, or one too large
   */
  signatures(reference: string, digest: Digest, options?: SignatureOptions): Promise<readonly Signature[]>
}

/** Takes signatures of manifests. */
export interface SignatureSink {
  /**
   * Throws unless there is a place for such signatures of an image; writes nothing.
   *
   * @throws FAILED_PRECONDITION  the text says what to configure
   */
  checkPlace(reference: string, signatures: readonly Signature[]): Promise<void>
  /** Adds signatures to those that are there; the same one is not added twice. Throws as `checkPlace`. */
  putSignatures(
    reference: string,
    digest: Digest,
    signatures: readonly Signature[],
    options?: AbortOptions,
  ): Promise<void>
}

const sigstoreFormat = 'sigstore-json'

/**
 * A signature as bytes, in the form that containers/image keeps signatures in (`dir:`, its store).
 *
 * Simple signing is its OpenPGP bytes; all else is a zero byte, the format's name, a line feed and the body.
 */
export function encodeSignature(signature: Signature): Uint8Array {
  if (signature.format === 'simple-signing') return signature.bytes
  const { mediaType: mimeType, payload, annotations } = signature
  const body = JSON.stringify({ mimeType, payload: Buffer.from(payload).toString('base64'), annotations })
  return Buffer.from(`\0${sigstoreFormat}\n${body}`)
}

/**
 * The signature in bytes that `encodeSignature` or containers/image made.
 *
 * @param what  names the bytes in errors
 * @throws INVALID_ARGUMENT  neither OpenPGP nor a format known here
 */
export function decodeSignature(bytes: Uint8Array, what: string): Signature {
  const refuse = (why: string): never => {
    throw new OrlopError('INVALID_ARGUMENT', `${what}: ${why}`)
  }
  const [first] = bytes
  if (first === undefined) return refuse('an empty signature')
  // Every packet of OpenPGP has the highest bit of its first byte set.
  if (first >= 0x80) return { format: 'simple-signing', bytes }
  const end = bytes.indexOf(0x0a)
  if (first !== 0 || end === -1) return refuse('unrecognized signature format')
  const format = Buffer.from(bytes.subarray(1, Math.min(end, 64))).toString('latin1')
  if (format !== sigstoreFormat)
    return refuse(`unrecognized signature format ${JSON.stringify(format)}; only ${sigstoreFormat} is known`)
  const json = asObject(parseJson(bytes.subarray(end + 1), what), what)
  return {
    format: 'sigstore',
    mediaType: asString(json.mimeType, `${what}.mimeType`),
    payload: Buffer.from(asString(json.payload, `${what}.payload`), 'base64'),
    annotations: asStringMap(json.annotations ?? {}, `${what}.annotations`),
  }
}

/** True when both are the same signature. */
export const sameSignature = (a: Signature, b: Signature): boolean =>
  Buffer.compare(canonical(a), canonical(b)) === 0

const canonical = (signature: Signature): Uint8Array =>
  signature.format === 'simple-signing'
    ? signature.bytes
    : encodeSignature({
        ...signature,
        annotations: Object.fromEntries(
          Object.entries(signature.annotations).sort(([a], [b]) => (a < b ? -1 : 1)),
        ),
      })
