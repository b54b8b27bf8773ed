import type { ContentStore } from '../content/types.ts'
import { isNotFound, OrlopError } from '../errors.ts'
import { putImage } from '../images/put.ts'
import type { Signature } from '../images/signature.ts'
import { storedReferrers } from '../images/stored-referrers.ts'
import { storedSignatures, storeSignatures } from '../images/stored-signatures.ts'
import type { ImageRecord, ImageStore } from '../images/types.ts'
import type { LeaseManager } from '../metadata/lease-types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { fullReference, parseReference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import { formatPlace, type StorePlace } from './place.ts'
import type { Accepts, Destination, PutOptions, Source } from './types.ts'

/** The stores of a namespace; a `Scope` of the runtime is one. */
export interface StoreParts {
  readonly content: ContentStore
  readonly images: ImageStore
  readonly leases: LeaseManager
  under(lease: string): StoreParts
}

/** Finds the image that a user means. @throws NOT_FOUND */
export type FindImage = (
  images: Pick<ImageStore, 'get' | 'list'>,
  name: string,
  options: AbortOptions,
) => Promise<ImageRecord>

/**
 * An image of the store, to read; its blobs are as they came.
 *
 * @throws NOT_FOUND  no such image
 */
export async function openStoreSource(
  place: StorePlace,
  { images, content }: Pick<StoreParts, 'images' | 'content'>,
  find: FindImage,
  options: AbortOptions = {},
): Promise<Source> {
  const record = await find(images, place.name, options)
  const { mediaType, digest, size } = record.target
  const root = Object.freeze({ mediaType, digest, size })
  return {
    place: formatPlace({ ...place, name: record.name }),
    blobs: content,
    isStored: true,
    resolve: async () => root,
    signatures: (manifest, asked) => storedSignatures(content, manifest, asked),
    referrers: storedReferrers(content),
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/**
 * The store, to write an image to. What has come is held by a lease, for a day should the process die, until it is named.
 *
 * @throws INVALID_ARGUMENT  a name that is no reference
 */
export async function openStoreDestination(
  place: StorePlace,
  scope: StoreParts,
  { signal }: AbortOptions = {},
): Promise<Destination> {
  const { digest } = parseReference(place.name)
  const name = fullReference(place.name)
  const { id } = await scope.leases.create({ expiresIn: day }, { signal })
  return new StoreDestination({ name, digest, lease: id, scope })
}

const day = 24 * 60 * 60 * 1000

interface StoreDestinationInit {
  readonly name: string
  readonly digest: Digest | undefined
  readonly lease: string
  readonly scope: StoreParts
}

class StoreDestination implements Destination {
  readonly accepts: Accepts = { formats: ['oci', 'docker'], indexes: true, referrers: true }
  readonly place: string
  readonly blobs: ContentStore
  readonly store: ContentStore
  readonly #init: StoreDestinationInit
  readonly #images: ImageStore

  constructor(init: StoreDestinationInit) {
    const { content, images } = init.scope.under(init.lease)
    this.place = formatPlace({ transport: 'store', name: init.name })
    this.blobs = content
    this.store = content
    this.#images = images
    this.#init = init
  }

  /** Referrers are found by the labels that came with what they refer to. */
  async put(root: Descriptor, { signal }: PutOptions = {}): Promise<void> {
    const { name, digest } = this.#init
    if (digest !== undefined && digest !== root.digest)
      throw new OrlopError('FAILED_PRECONDITION', `${this.place}: what was copied is ${root.digest}`)
    await putImage(this.#images, { name, target: root }, { signal })
  }

  async putSignatures(
    manifest: Digest,
    signatures: readonly Signature[],
    options: AbortOptions = {},
  ): Promise<void> {
    const labels = await storeSignatures(this.store, signatures, options)
    await this.store.update(manifest, { labels }, options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { scope, lease } = this.#init
    await scope.leases.delete(lease).catch((error: unknown) => {
      // Expired and collected meanwhile.
      if (!isNotFound(error)) throw error
    })
  }
}
