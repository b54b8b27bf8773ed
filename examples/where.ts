// Where does an image come from on this machine? By its registries.conf, hosts.toml and certs.d, as podman and ctr know.
//   node dist/examples/where.js busybox
import { pathToFileURL } from 'node:url'
import { type Descriptor, parseReference } from 'orlop'
import {
  type ConfiguredHostsOptions,
  configuredHosts,
  RegistryResolver,
  readRegistries,
  resolveShortName,
} from 'orlop/registry'

export interface Found {
  /** The full reference that the name stands for. */
  readonly reference: string
  /** The hosts that are asked, mirrors first. */
  readonly hosts: readonly string[]
  readonly target: Descriptor
}

export async function whereFrom(
  name: string,
  options: ConfiguredHostsOptions = {},
  signal?: AbortSignal,
): Promise<Found> {
  const registries = await readRegistries(options, { signal })
  const { candidates } = await resolveShortName(name, { registries, fallback: 'docker.io', signal })
  const [reference = name] = candidates
  const hosts = configuredHosts(options)
  await using resolver = new RegistryResolver({ hosts })
  return {
    reference,
    hosts: (await hosts(parseReference(reference), { signal })).map(
      ({ schemes, address }) => `${schemes[0]}://${address}`,
    ),
    target: await resolver.resolve(reference, { signal }),
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { reference, hosts, target } = await whereFrom(process.argv[2] ?? '')
  console.log(`${reference} ${target.digest}`)
  for (const host of hosts) console.log(host)
}
