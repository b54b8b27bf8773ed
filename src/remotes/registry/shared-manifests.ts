import type { Descriptor } from '../../oci/descriptor.ts'
import type { AbortOptions } from '../../options.ts'
import type { FetchedManifest } from '../types.ts'
import type { Endpoint } from './endpoint.ts'
import { fetchManifest, resolveManifest } from './manifests.ts'
import { SingleFlight } from './single-flight.ts'
import { TagCache } from './tag-cache.ts'

/** Asks for manifests once for all who want the same at the same time, and remembers what tags pointed at. */
export class SharedManifests {
  readonly #tags = new TagCache()
  readonly #resolving = new SingleFlight<Descriptor>()
  readonly #fetching = new SingleFlight<FetchedManifest>()

  /** See `resolveManifest`. */
  resolve(endpoint: Endpoint, repository: string, name: string, options?: AbortOptions): Promise<Descriptor> {
    const ask = (abort: AbortOptions): Promise<Descriptor> =>
      resolveManifest(endpoint, repository, name, { ...abort, tags: this.#tags })
    return this.#resolving.run(keyOf(endpoint, repository, name), ask, options)
  }

  /** See `fetchManifest`. The bytes are the caller's own. */
  async fetch(
    endpoint: Endpoint,
    repository: string,
    name: string,
    options?: AbortOptions,
  ): Promise<FetchedManifest> {
    const ask = (abort: AbortOptions): Promise<FetchedManifest> =>
      fetchManifest(endpoint, repository, name, { ...abort, tags: this.#tags })
    const { target, bytes } = await this.#fetching.run(keyOf(endpoint, repository, name), ask, options)
    return { target, bytes: new Uint8Array(bytes) }
  }
}

const keyOf = ({ host: { address, path } }: Endpoint, repository: string, name: string): string =>
  `${address}${path} ${repository} ${name}`
