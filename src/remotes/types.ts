import type { Ingester, Provider } from '../content/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { AbortOptions } from '../options.ts'

/** The blobs and manifests of one repository, to read. Bytes come unverified, as from any provider. */
export interface Fetcher extends Provider {}

/** One repository, to write. */
export interface Pusher extends Ingester {
  /** Points a tag at a manifest that is there. */
  tag(reference: string, target: Descriptor, options?: AbortOptions): Promise<void>
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
