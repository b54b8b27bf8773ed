import { noCredentials } from '../../src/remotes/registry/credentials.ts'
import { RegistryResolver } from '../../src/remotes/registry/resolver.ts'
import {
  type CopiedPlaces,
  type CopyPlacesOptions,
  copyPlaces as copyBetween,
} from '../../src/runtime/copy-places.ts'
import { lookup } from '../../src/runtime/lookup.ts'
import type { TransportParts } from '../../src/transports/open.ts'
import { parsePlace } from '../../src/transports/place.ts'

/** Copies between places as `orlop copy` does; everything of an index unless told otherwise. */
export async function copyPlaces(
  from: string,
  to: string,
  options: CopyPlacesOptions = {},
  parts: TransportParts = {},
): Promise<CopiedPlaces> {
  await using resolver = new RegistryResolver({ credentials: noCredentials, plainHttp: true })
  const all: TransportParts = { resolver, find: lookup, ...parts }
  return await copyBetween(
    parsePlace(from),
    parsePlace(to),
    { source: all, destination: all },
    { multiArch: 'all', ...options },
  )
}
