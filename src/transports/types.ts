import type { ContentStore, Ingester, Provider } from '../content/types.ts'
import type { FindReferrers } from '../handlers/referrers.ts'
import type { Format } from '../images/convert/layer-type.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'

/**
 * A signature that lies beside a manifest, as containers/image stores it: a simple signature as it is, any other kind
 * behind a NUL and its name.
 *
 * @see containers/image internal/signature, Blob
 */
export type SignatureBlob = Uint8Array

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
  /** The signatures beside a manifest or index of it; absent: the place keeps none. */
  readonly signatures?: (manifest: Digest, options?: AbortOptions) => Promise<readonly SignatureBlob[]>
  /** What refers to a manifest or index of it; absent: the place cannot tell. */
  readonly referrers?: FindReferrers
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
  /** `urls`: foreign layers stay where their descriptors say; absent: they come along where the source has them. */
  readonly foreign?: 'urls'
  /** True: only layers without compression. */
  readonly plainLayers?: true
}

/** A place that an image is copied to. Blobs come leaves first; then `put` names the root. */
export interface Destination extends AsyncDisposable {
  readonly place: string
  readonly accepts: Accepts
  /** Where its blobs go. */
  readonly blobs: Ingester
  /** Blobs on their way at one time; absent: any number. */
  readonly concurrency?: number
  /** The same as `blobs`, where it is a store that keeps labels; the children of a blob live there by its labels. */
  readonly store?: ContentStore
  /**
   * Makes a manifest or index that is there the image of this place; durable when it resolves.
   *
   * @throws FAILED_PRECONDITION  the place names a digest, and this is another
   */
  put(root: Descriptor, options?: AbortOptions): Promise<void>
  /** Puts signatures beside a manifest or index, in place of those there; absent: the place keeps none. */
  readonly putSignatures?: (
    manifest: Digest,
    signatures: readonly SignatureBlob[],
    options?: AbortOptions,
  ) => Promise<void>
}
