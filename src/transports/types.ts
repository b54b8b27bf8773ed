import type { ContentStore, Ingester, Provider } from '../content/types.ts'
import type { FindReferrers } from '../handlers/referrers.ts'
import type { Format } from '../images/convert/layer-type.ts'
import type { Signature, SignatureOptions } from '../images/signature.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Reference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'

/** How policies name an image; see `PolicyImage`. */
export interface PolicyIdentity {
  readonly transport: string
  /** Where rules for it are looked for, the most specific first. */
  readonly scopes: readonly string[]
  /** The name that signatures must be of; absent: none can. */
  readonly reference?: Reference
}

/** An image where it is. */
export interface Source extends AsyncDisposable {
  /** Where, for people: `oci:/srv/layout:v1`. */
  readonly place: string
  /** Its blobs, unverified. */
  readonly blobs: Provider
  /**
   * What the place names: a manifest or an index, without the annotations and the platform that it has there.
   *
   * @throws NOT_FOUND  no such image there
   */
  resolve(options?: AbortOptions): Promise<Descriptor>
  /** The signatures of a manifest or index of it, none verified; absent: the place keeps none. */
  readonly signatures?: (manifest: Digest, options?: SignatureOptions) => Promise<readonly Signature[]>
  /** What policies know it by; absent: it has been judged before. */
  readonly identity?: PolicyIdentity
  /** What refers to a manifest or index of it; absent: the place cannot tell. */
  readonly referrers?: FindReferrers
  /** True: an image of a store of ours. */
  readonly isStored?: true
  /** True: its manifest was made when it was read, for the place has none. */
  readonly isMade?: true
  /** The repository of a registry that the blobs come from. */
  readonly origin?: { readonly registry: string; readonly repository: string }
}

/** What a destination takes. */
export interface Accepts {
  /** Formats that it takes as they come. */
  readonly formats: readonly Format[]
  /** True: it takes the other format too, where digests must stay; its usual readers may not understand it. */
  readonly tolerant?: true
  /** False: one manifest, and no index. */
  readonly indexes: boolean
  /** True: what refers to an image can be found by it there. */
  readonly referrers?: true
  /** `urls`: foreign layers stay where their descriptors say; absent: they come along where the source has them. */
  readonly foreign?: 'urls'
  /** `plain`: only layers without compression. `gzip`: any, but what is made on the way had better be compressed. */
  readonly layers?: 'plain' | 'gzip'
}

/** Options of `Destination.put`. */
export interface PutOptions extends AbortOptions {
  /** Manifests that are there too, to be found by what they refer to; only for places that take referrers. */
  readonly referrers?: readonly Descriptor[] | undefined
}

/** A place that an image is copied to. Blobs come leaves first; then `put` names the root. */
export interface Destination extends AsyncDisposable {
  readonly place: string
  readonly accepts: Accepts
  /** Where its blobs go. */
  readonly blobs: Ingester
  /** What progress calls a blob that moves there; absent: `downloading`. */
  readonly moving?: 'uploading'
  /** Blobs on their way at one time; absent: any number. */
  readonly concurrency?: number
  /** The same as `blobs`, where it is a store that keeps labels; the children of a blob live there by its labels. */
  readonly store?: ContentStore
  /**
   * Makes a manifest or index that is there the image of this place; durable when it resolves. Called once, last but for
   * signatures.
   *
   * @throws FAILED_PRECONDITION  the place names a digest, and this is another
   */
  put(root: Descriptor, options?: PutOptions): Promise<void>
  /** Puts signatures beside a manifest or index that is there; absent: the place keeps none. */
  readonly putSignatures?: (
    manifest: Digest,
    signatures: readonly Signature[],
    options?: AbortOptions,
  ) => Promise<void>
}
