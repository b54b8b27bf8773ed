import type { Ingester, Provider } from '../content/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'

/** The blobs and manifests of one repository, to read. Bytes come unverified, as from any provider. */
export interface Fetcher extends Provider {}

/** A manifest or index as it came; its bytes are what its digest says. */
export interface FetchedManifest {
  readonly target: Descriptor
  readonly bytes: Uint8Array
}

/** How names are listed. */
export interface ListOptions extends AbortOptions {
  /** Names in one page; default: as many as the registry likes. It does not limit how many come in all. */
  readonly pageSize?: number | undefined
  /** Start after this name. */
  readonly last?: string | undefined
}

/** Which referrers are wanted. */
export interface ReferrersOptions extends AbortOptions {
  /** Only those of this type; default: all. */
  readonly artifactType?: string | undefined
}

/** One repository, to read and to look around in. */
export interface RemoteRepository extends Fetcher {
  /**
   * The descriptor that a tag or digest points at; frozen. A digest may be a blob's as well.
   *
   * @throws NOT_FOUND  neither
   */
  resolve(name: string, options?: AbortOptions): Promise<Descriptor>
  /**
   * The manifest or index that a tag or digest points at.
   *
   * @throws NOT_FOUND  no such manifest
   * @throws DATA_LOSS  the bytes are not what the digest says
   */
  manifest(name: string, options?: AbortOptions): Promise<FetchedManifest>
  /** Whether a blob, manifest or index is there; its bytes are not read. */
  has(target: Pick<Descriptor, 'digest' | 'mediaType'>, options?: AbortOptions): Promise<boolean>
  /**
   * The tags, in the registry's order; asked for page by page.
   *
   * @throws NOT_FOUND  at the first `next()`, when there is no such repository
   */
  tags(options?: ListOptions): AsyncIterable<string>
  /** What refers to a manifest or index through `subject`; nothing when nothing does, or when it is not there. */
  referrers(digest: Digest, options?: ReferrersOptions): AsyncIterable<Descriptor>
}

/** What a pusher may be told. */
export interface PusherOptions extends AbortOptions {
  /** Other repositories of the same registry that may have a blob; it is mounted from one of them, if the registry lets it. */
  readonly sources?: ((digest: Digest, options: AbortOptions) => Promise<readonly string[]>) | undefined
  /** Told of each blob that was mounted, before its writer is refused with ALREADY_EXISTS. */
  readonly onMounted?: ((digest: Digest, from: string) => void) | undefined
}

/**
 * One repository, to write.
 *
 * What a writer takes is a manifest or index, or a blob, as the media type says that it was opened with. Manifests go
 * under their digest; the one whose digest stands in the pusher's reference beside a tag goes under that tag.
 */
export interface Pusher extends Ingester {
  /**
   * Points a tag at a manifest that is there.
   *
   * @param reference  of the same repository, with a tag
   * @throws NOT_FOUND  no such manifest
   * @throws FAILED_PRECONDITION  the tag may not be changed
   */
  tag(reference: string, target: Descriptor, options?: AbortOptions): Promise<void>
  /**
   * Makes sure that a manifest that is there is found under what it refers to by `subject`; for those that were there
   * already. Writers see to it themselves.
   *
   * @throws NOT_FOUND  no such manifest
   */
  enlist(target: Descriptor, options?: AbortOptions): Promise<void>
}

/** One repository, to delete from. */
export interface Remover {
  /**
   * Deletes a manifest or index by its digest, and so every tag that points at it.
   *
   * The digest is that of the bytes that a tag gives, not what the registry says of them.
   *
   * @param name  a tag or a digest
   * @returns the digest of what was deleted
   * @throws NOT_FOUND  no such manifest
   * @throws UNIMPLEMENTED  the registry deletes nothing
   */
  manifest(name: string, options?: AbortOptions): Promise<Digest>
  /**
   * Deletes a tag and leaves what it points at, where the registry can do that.
   *
   * @throws UNIMPLEMENTED, INVALID_ARGUMENT  the registry deletes by digest only
   */
  tag(tag: string, options?: AbortOptions): Promise<void>
  /** Deletes a blob, whatever may still name it. @throws NOT_FOUND  no such blob */
  blob(digest: Digest, options?: AbortOptions): Promise<void>
}

/** Turns names into descriptors and repositories. */
export interface Resolver {
  /**
   * The descriptor that a tag or digest points at; frozen.
   *
   * @throws NOT_FOUND  no such repository, tag or digest
   * @throws UNAUTHENTICATED  the registry wants credentials, or other ones
   */
  resolve(reference: string, options?: AbortOptions): Promise<Descriptor>
  /** The repository of a reference, to read. No request is made yet. */
  fetcher(reference: string, options?: AbortOptions): Promise<Fetcher>
}

/** A resolver whose repositories can be written to. */
export interface WritingResolver extends Resolver {
  /**
   * The repository of a reference, to write. No request is made yet.
   *
   * @throws FAILED_PRECONDITION  there is no host to push to
   */
  pusher(reference: string, options?: PusherOptions): Promise<Pusher>
}
