import { hostOs } from './host-platform.ts'

const knownOs: ReadonlySet<string> = new Set([
  ...['aix', 'android', 'darwin', 'dragonfly', 'freebsd', 'hurd', 'illumos', 'ios', 'js', 'linux', 'nacl'],
  ...['netbsd', 'openbsd', 'plan9', 'solaris', 'windows', 'zos'],
])

const knownArchitectures: ReadonlySet<string> = new Set([
  ...['386', 'amd64', 'amd64p32', 'arm', 'armbe', 'arm64', 'arm64be', 'loong64', 'mips', 'mipsle', 'mips64'],
  ...['mips64le', 'mips64p32', 'mips64p32le', 'ppc', 'ppc64', 'ppc64le', 'riscv', 'riscv64', 's390', 's390x'],
  ...['sparc', 'sparc64', 'wasm'],
])

/** True for an operating system that Go knows, by its normal name. */
export const isKnownOs = (os: string): boolean => knownOs.has(os)

/** True for an architecture that Go knows, by its normal name. */
export const isKnownArchitecture = (architecture: string): boolean => knownArchitectures.has(architecture)

/** An operating system by its normal name: in lower case, `macos` as `darwin`, nothing as the one of this machine. */
export function normalizeOs(os: string): string {
  const name = os.toLowerCase()
  if (name === '') return hostOs()
  return name === 'macos' ? 'darwin' : name
}

/** An architecture and its variant; `''` for the variant that goes without saying. */
export interface Architecture {
  readonly architecture: string
  readonly variant: string
}

/**
 * An architecture by its normal name: `x86_64` is `amd64`, `aarch64` is `arm64`, `armhf` is `arm/v7`.
 *
 * The variants `v1` of amd64 and `v8` of arm64 go without saying; on arm nothing is `v7`.
 *
 * @see containerd/platforms, normalizeArch
 */
export function normalizeArchitecture(architecture: string, variant: string): Architecture {
  const [name, version] = [architecture.toLowerCase(), variant.toLowerCase()]
  switch (name) {
    case 'i386':
      return { architecture: '386', variant: '' }
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return { architecture: 'amd64', variant: version === 'v1' ? '' : version }
    case 'aarch64':
    case 'arm64':
      return { architecture: 'arm64', variant: arm64Variant(version) }
    case 'armhf':
      return { architecture: 'arm', variant: 'v7' }
    case 'armel':
      return { architecture: 'arm', variant: 'v6' }
    case 'arm':
      return { architecture: 'arm', variant: armVariant(version) }
    default:
      return { architecture: name, variant: version }
  }
}

const arm64Variant = (variant: string): string => {
  if (['8', 'v8', 'v8.0'].includes(variant)) return ''
  return ['9', '9.0', 'v9.0'].includes(variant) ? 'v9' : variant
}

const armVariant = (variant: string): string => {
  if (variant === '' || variant === '7') return 'v7'
  return ['5', '6', '8'].includes(variant) ? `v${variant}` : variant
}
