import { noCredentials } from '../../src/remotes/registry/credentials.ts'
import { RegistryResolver } from '../../src/remotes/registry/resolver.ts'
import { type Copied, type CopyOptions, copy } from '../../src/runtime/copy.ts'
import { lookup } from '../../src/runtime/lookup.ts'
import { openDestination, openSource, type TransportParts } from '../../src/transports/open.ts'
import { parsePlace } from '../../src/transports/place.ts'

/** Copies between places as `orlop copy` does; everything of an index unless told otherwise. */
export async function copyPlaces(
  from: string,
  to: string,
  options: CopyOptions = {},
  parts: TransportParts = {},
): Promise<Copied> {
  await using resolver = new RegistryResolver({ credentials: noCredentials, plainHttp: true })
  const all: TransportParts = { resolver, find: lookup, ...parts }
  await using source = await openSource(parsePlace(from), all)
  await using destination = await openDestination(parsePlace(to), all)
  return await copy(source, destination, { multiArch: 'all', ...options })
}
