import type { Signature, SignatureOptions } from '../images/signature.ts'
import type { Digest } from '../oci/digest.ts'
import type { Reference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'

/** A policy.json: what an image must satisfy, by transport and scope. */
export interface Policy {
  /** For what no scope of its transport names. */
  readonly default: readonly Requirement[]
  /** By transport, then by scope; the scope `''` is the transport's default. */
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, readonly Requirement[]>>
}

/** One requirement; an image must satisfy all that apply to it. */
export type Requirement =
  | { readonly type: 'insecureAcceptAnything' }
  | { readonly type: 'reject' }
  | SignedBy
  | SignedBaseLayer
  | SigstoreSigned

/** Signed with OpenPGP, by one of some keys. */
export interface SignedBy {
  readonly type: 'signedBy'
  readonly keyType: KeyType
  readonly keys: Sources
  readonly signedIdentity: IdentityMatch
}

/** What the keys of `SignedBy` are; only the first is implemented, here as in containers/image. */
export type KeyType = 'GPGKeys' | 'signedByGPGKeys' | 'X509Certificates' | 'signedByX509CAs'

/** Never satisfied: containers/image has not implemented it either. */
export interface SignedBaseLayer {
  readonly type: 'signedBaseLayer'
  readonly baseLayerIdentity: IdentityMatch
}

/** Signed as sigstore's tools sign. */
export interface SigstoreSigned {
  readonly type: 'sigstoreSigned'
  readonly trust: SigstoreTrust
  /** Keys of Rekor logs, one of which must have logged the signature; absent: no log is asked for. */
  readonly rekor?: Sources
  readonly signedIdentity: IdentityMatch
}

/** Whom a sigstore signature is believed. */
export type SigstoreTrust =
  | { readonly kind: 'keys'; readonly keys: Sources }
  | {
      readonly kind: 'fulcio'
      readonly ca: Sources
      readonly oidcIssuer: string
      readonly subjectEmail: string
    }
  | {
      readonly kind: 'pki'
      readonly roots: Sources
      readonly intermediates?: Sources
      readonly subjectEmail?: string
      readonly subjectHostname?: string
    }

/** Files to read, or their contents. */
export type Sources = { readonly paths: readonly string[] } | { readonly contents: readonly Uint8Array[] }

/** How the name that was signed must relate to the name of the image. */
export type IdentityMatch =
  | { readonly type: 'matchExact' | 'matchRepoDigestOrExact' | 'matchRepository' }
  | { readonly type: 'exactReference'; readonly dockerReference: string }
  | { readonly type: 'exactRepository'; readonly dockerRepository: string }
  | { readonly type: 'remapIdentity'; readonly prefix: string; readonly signedPrefix: string }

/** What policies know an image by. */
export interface PolicyIdentity {
  /** As containers/image names it: `docker`, `dir`, `oci`, `docker-archive`… */
  readonly transport: string
  /** Where rules for it are looked for, the most specific first; see `dockerScopes`. */
  readonly scopes: readonly string[]
  /** The name asked for, never a mirror's; absent where there is none, and then no signature matches. */
  readonly reference?: Reference | undefined
}

/** A manifest or index that a policy is to judge. */
export interface PolicyImage extends PolicyIdentity {
  readonly digest: Digest
  /** Its bytes; asked for, as the signatures, only when a requirement needs them. */
  manifest(options: AbortOptions): Promise<Uint8Array>
  signatures(options?: SignatureOptions): Promise<readonly Signature[]>
}

/** What the contents of a signature are held against. */
export interface Claim {
  readonly reference?: Reference | undefined
  readonly manifest: Uint8Array
}

/** What came of one signature under one requirement. */
export interface SignatureVerdict {
  readonly format: Signature['format']
  readonly accepted: boolean
  /** Why not. */
  readonly reason?: string
  /** What was signed; only of an accepted signature, for nothing else is known to be true. */
  readonly signed?: Signed
}

/** What an accepted signature says. */
export interface Signed {
  readonly reference: string
  readonly digest: Digest
  /** An OpenPGP fingerprint in upper case, `sha256:` and the hash of a public key's DER, or whom a certificate names. */
  readonly signer: string
  /** By the log's clock, where a log was asked for; else by the signer's, where it says. */
  readonly signedAt?: Date
}

/** What came of one requirement. */
export interface RequirementVerdict {
  readonly type: Requirement['type']
  readonly accepted: boolean
  /** Why not, in a sentence for people. */
  readonly reason?: string
  /** One for each signature that was there; empty where the requirement looks at none. */
  readonly signatures: readonly SignatureVerdict[]
}

/** What came of an image. */
export interface Verdict {
  readonly accepted: boolean
  /** Which rules applied: `docker:quay.io/org`, `docker:` for a transport's default, or `default`. */
  readonly scope: string
  readonly requirements: readonly RequirementVerdict[]
}
