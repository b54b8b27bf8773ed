import type { Labels, LabelsChange } from '../../content/types.ts'
import { isAlreadyExists } from '../../errors.ts'
import type { Namespace, NamespaceManager } from '../../metadata/namespaces.ts'
import type { AbortOptions } from '../../options.ts'
import { collected, gone } from './again.ts'
import type { Membership } from './membership.ts'

/** The namespaces of a store that others may own. */
export class SharedNamespaces implements NamespaceManager {
  readonly #membership: Membership

  constructor(membership: Membership) {
    this.#membership = membership
  }

  create(name: string, labels: Labels = {}, options: AbortOptions = {}): Promise<Namespace> {
    return this.#membership.run(async ({ namespaces }, isRepeated) => {
      try {
        return await namespaces.create(name, labels, options)
      } catch (error) {
        if (!isRepeated || !isAlreadyExists(error)) throw error
        return await namespaces.update(name, { labels }, options)
      }
    }, options)
  }

  labels(name: string, options: AbortOptions = {}): Promise<Labels> {
    return this.#membership.run(({ namespaces }) => namespaces.labels(name, options), options)
  }

  update(name: string, change: LabelsChange, options: AbortOptions = {}): Promise<Namespace> {
    return this.#membership.run(({ namespaces }) => namespaces.update(name, change, options), options)
  }

  list(options: AbortOptions = {}): AsyncIterable<Namespace> {
    return collected(this.#membership, ({ namespaces }) => namespaces.list(options), options)
  }

  delete(name: string, options: AbortOptions = {}): Promise<void> {
    return this.#membership.run(
      ({ namespaces }, isRepeated) => gone(namespaces.delete(name, options), isRepeated),
      options,
    )
  }
}
