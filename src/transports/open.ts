import { OrlopError } from '../errors.ts'
import type { SignatureSink, SignatureSource } from '../images/signature.ts'
import type { AbortOptions } from '../options.ts'
import type { PusherOptions, WritingResolver } from '../remotes/types.ts'
import type { RegistryReader } from './docker.ts'
import { formatPlace, type Place } from './place.ts'
import type { FindImage, StoreParts } from './store.ts'
import type { Destination, Source } from './types.ts'

/** What places of some transports need to be opened. */
export interface TransportParts {
  /** For `docker:`; one that can write to write there. */
  readonly resolver?: RegistryReader | (RegistryReader & WritingResolver) | undefined
  /** Where the signatures of images in registries are; default: they have none. */
  readonly signatures?: (SignatureSource & SignatureSink) | undefined
  /** For `store:`. */
  readonly store?: StoreParts | undefined
  /** How `store:` finds an image by what a user wrote; default: by its exact name. */
  readonly find?: FindImage | undefined
}

/** Options of `openDestination`. */
export interface OpenDestinationOptions extends AbortOptions {
  /** For `docker:`: other repositories of the registry that may have a blob, see `PusherOptions`. */
  readonly sources?: PusherOptions['sources']
  /** For `docker:`: told of each blob that was taken over from there. */
  readonly onMounted?: PusherOptions['onMounted']
  /** For `docker:`: true pushes layers too that a licence keeps from being distributed. */
  readonly nonDistributable?: boolean | undefined
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
      return openDockerSource(place, needed(parts.resolver, place, 'a resolver'), parts.signatures, options)
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
    case 'oci-archive':
      return (await import('./oci-archive.ts')).openOciArchiveSource(place, options)
    case 'docker-archive':
      return (await import('./docker-archive.ts')).openDockerArchiveSource(place, options)
  }
}

/** Opens a place to write to. Throws as `openSource`. */
export async function openDestination(
  place: Place,
  parts: TransportParts = {},
  options: OpenDestinationOptions = {},
): Promise<Destination> {
  switch (place.transport) {
    case 'docker': {
      const { openDockerDestination } = await import('./docker.ts')
      const { signatures, resolver } = parts
      const writing = resolver && 'pusher' in resolver ? resolver : undefined
      return openDockerDestination(place, needed(writing, place, 'a resolver that can write'), {
        ...options,
        signatures,
      })
    }
    case 'oci':
      return (await import('./oci-layout.ts')).openOciDestination(place, options)
    case 'dir':
      return (await import('./dir.ts')).openDirDestination(place, options)
    case 'store': {
      const { openStoreDestination } = await import('./store.ts')
      return openStoreDestination(place, needed(parts.store, place, 'a store'), options)
    }
    case 'oci-archive':
      return (await import('./oci-archive.ts')).openOciArchiveDestination(place)
    case 'docker-archive':
      return (await import('./docker-archive.ts')).openDockerArchiveDestination(place)
  }
}

const needed = <T>(part: T | undefined, place: Place, what: string): T => {
  if (part !== undefined) return part
  throw new OrlopError('INVALID_ARGUMENT', `${formatPlace(place)}: needs ${what}`)
}
