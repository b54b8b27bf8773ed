import { isAlreadyExists } from '../../errors.ts'
import { parseFilters } from '../../filters/filter.ts'
import type {
  DeleteImageOptions,
  ImageChange,
  ImageRecord,
  ImageStore,
  NewImage,
} from '../../images/types.ts'
import type { AbortOptions } from '../../options.ts'
import type { Store } from '../../runtime/store.ts'
import { collected, gone } from './again.ts'
import type { Membership } from './membership.ts'

/** The images of a namespace of a store that others may own. */
export class SharedImages implements ImageStore {
  readonly #membership: Membership
  readonly #of: (store: Store) => ImageStore

  constructor(membership: Membership, of: (store: Store) => ImageStore) {
    this.#membership = membership
    this.#of = of
  }

  get(name: string, options: AbortOptions = {}): Promise<ImageRecord> {
    return this.#membership.run(store => this.#of(store).get(name, options), options)
  }

  list(filters: readonly string[] = [], options: AbortOptions = {}): AsyncIterable<ImageRecord> {
    parseFilters(filters)
    return collected(this.#membership, store => this.#of(store).list(filters, options), options)
  }

  create(image: NewImage, options: AbortOptions = {}): Promise<ImageRecord> {
    return this.#membership.run(async (store, isRepeated) => {
      const images = this.#of(store)
      try {
        return await images.create(image, options)
      } catch (error) {
        if (!isRepeated || !isAlreadyExists(error)) throw error
        const found = await images.get(image.name, options)
        if (found.target.digest !== image.target.digest) throw error
        return found
      }
    }, options)
  }

  update(name: string, change: ImageChange, options: AbortOptions = {}): Promise<ImageRecord> {
    return this.#membership.run(store => this.#of(store).update(name, change, options), options)
  }

  delete(name: string, options: DeleteImageOptions = {}): Promise<void> {
    return this.#membership.run(
      (store, isRepeated) => gone(this.#of(store).delete(name, options), isRepeated),
      options,
    )
  }
}
