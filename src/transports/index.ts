/**
 * Places that images are copied between, named as containers/image names them: `docker://`, `oci:`, `oci-archive:`,
 * `docker-archive:`, `dir:`, and `store:` for a store of ours.
 *
 * `parsePlace` reads such a name and opens nothing. `openSource` gives a `Source`: a provider of blobs that knows what the
 * place names; `openDestination` a `Destination`: an ingester that takes blobs, leaves first, and then a root. `copyPlaces` of
 * the runtime brings an image from one to the other.
 *
 * What lies in a directory or an archive is a stranger's: links and names that lead out are not followed, sizes are bounded,
 * and nothing is believed that was not hashed. What is written appears whole and durable, or not at all.
 */
export type { RegistryReader } from './docker.ts'
export {
  type OpenDestinationOptions,
  openDestination,
  openSource,
  type TransportParts,
} from './open.ts'
export {
  type DirPlace,
  type DockerArchivePlace,
  type DockerPlace,
  formatPlace,
  type OciArchivePlace,
  type OciPlace,
  type Place,
  parsePlace,
  type StorePlace,
  transportNames,
} from './place.ts'
export type { FindImage, StoreParts } from './store.ts'
export type * from './types.ts'
