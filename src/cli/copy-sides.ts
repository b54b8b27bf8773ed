import { Command, Option } from 'commander'
import { OrlopError } from '../errors.ts'
import { parseReference } from '../oci/reference.ts'
import type { DockerPlace, Place } from '../transports/place.ts'
import { addRegistryOptions, type RegistryOptions } from './registry-options.ts'

/** A side of a copy: its options start so. */
export type Side = 'src' | 'dest'

/** The options of a copy, for both sides and for each. */
export type SideOptions = Readonly<Record<string, unknown>>

/** Credentials are for one registry, so there are none for both sides. */
const forOneSide = new Set(['--user'])

/**
 * Adds the options of `RegistryOptions` for both sides, and each of them again for one: `--src-plain-http`. Those have no
 * line of their own in the help. As in skopeo `--src-creds` and `--dest-creds` are users, `--src-tls-verify=false` an
 * insecure registry.
 */
export function addSides(command: Command): void {
  for (const option of addRegistryOptions(new Command()).options) {
    if (!forOneSide.has(option.long ?? '')) command.addOption(copyOf(option, ''))
    for (const side of ['src-', 'dest-']) command.addOption(copyOf(option, side).hideHelp())
  }
  for (const [side, name] of [
    ['src', 'source'],
    ['dest', 'destination'],
  ] as const) {
    command
      .option(
        `--${side}-creds <name[:password]>`,
        `credentials for the ${name}; the password is asked for when missing`,
      )
      .addOption(
        new Option(`--${side}-tls-verify <bool>`, `false: as --${side}-insecure-registry`)
          .choices(['true', 'false'])
          .hideHelp(),
      )
  }
}

/** The same option under a longer name; short names are left out, for there is one of each. */
function copyOf(option: Option, prefix: string): Option {
  const { long = '', flags, description } = option
  const value = flags.slice(flags.indexOf(long) + long.length)
  const copy = new Option(`--${prefix}${long.slice(2)}${value}`, description)
  if (option.parseArg) copy.argParser(option.parseArg)
  return copy
}

/**
 * The options of one side.
 *
 * @throws INVALID_ARGUMENT  two that contradict each other
 */
export function registryOf(side: Side, options: SideOptions, place: Place): RegistryOptions {
  const found: Record<string, unknown> = {}
  for (const option of addRegistryOptions(new Command()).options) {
    const name = option.attributeName()
    const own = options[`${side}${name[0]?.toUpperCase()}${name.slice(1)}`]
    const value = own ?? (forOneSide.has(option.long ?? '') ? undefined : options[name])
    if (value !== undefined) found[name] = value
  }
  if (found.hostsDir !== undefined && found.registriesConf !== undefined)
    throw new OrlopError('INVALID_ARGUMENT', 'give --hosts-dir or --registries-conf, not both')
  return { ...found, ...credentialsOf(side, options), ...insecureOf(side, options, place) }
}

function credentialsOf(side: Side, options: SideOptions): Pick<RegistryOptions, 'user'> {
  const creds = options[`${side}Creds`]
  return typeof creds === 'string' ? { user: creds } : {}
}

function insecureOf(side: Side, options: SideOptions, place: Place): Partial<RegistryOptions> {
  if (options[`${side}TlsVerify`] !== 'false' || !isDocker(place)) return {}
  return { insecureRegistry: [parseReference(place.reference).domain] }
}

const isDocker = (place: Place): place is DockerPlace => place.transport === 'docker'
