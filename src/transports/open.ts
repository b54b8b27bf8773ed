import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { Resolver } from '../remotes/types.ts'
import { formatPlace, type Place } from './place.ts'
import type { FindImage, StoreParts } from './store.ts'
import type { Destination, Source } from './types.ts'

/** What places of some transports need to be opened. */
export interface TransportParts {
  /** For `docker:`. */
  readonly resolver?: Resolver | undefined
  /** For `store:`. */
  readonly store?: StoreParts | undefined
  /** How `store:` finds an image by what a user wrote; default: by its exact name. */
  readonly find?: FindImage | undefined
}

/** Options of `openDestination`. */
export interface OpenDestinationOptions extends AbortOptions {
  /** Told once, when another process writes to the same directory and this one waits. */
  readonly onWait?: ((holder: string) => void) | undefined
}

/**
 * Opens a place to read from; each transport's code is loaded when it is first used.
 *
 * @throws INVALID_ARGUMENT  a part that its transport needs is not given
 * @throws as each transport does
 */
export async function openSource(
  place: Place,
  parts: TransportParts = {},
  options: AbortOptions = {},
): Promise<Source> {
  switch (place.transport) {
    case 'docker': {
      const { openDockerSource } = await import('./docker.ts')
      return openDockerSource(place, needed(parts.resolver, place, 'a resolver'), options)
    }
    case 'oci':
      return (await import('./oci-layout.ts')).openOciSource(place, options)
    case 'dir':
      return (await import('./dir.ts')).openDirSource(place, options)
    case 'store': {
      const { openStoreSource } = await import('./store.ts')
      const { find = (images, name, abort) => images.get(name, abort) } = parts
      return openStoreSource(place, needed(parts.store, place, 'a store'), find, options)
    }
    default:
      throw new OrlopError('UNIMPLEMENTED', `${formatPlace(place)}: cannot be read yet`)
  }
}

/** Opens a place to write to. Throws as `openSource`. */
export async function openDestination(
  place: Place,
  parts: TransportParts = {},
  options: OpenDestinationOptions = {},
): Promise<Destination> {
  switch (place.transport) {
    case 'oci':
      return (await import('./oci-layout.ts')).openOciDestination(place, options)
    case 'dir':
      return (await import('./dir.ts')).openDirDestination(place, options)
    case 'store': {
      const { openStoreDestination } = await import('./store.ts')
      return openStoreDestination(place, needed(parts.store, place, 'a store'), options)
    }
    default:
      throw new OrlopError('UNIMPLEMENTED', `${formatPlace(place)}: cannot be written yet`)
  }
}

const needed = <T>(part: T | undefined, place: Place, what: string): T => {
  if (part !== undefined) return part
  throw new OrlopError('INVALID_ARGUMENT', `${formatPlace(place)}: needs ${what}`)
}
