import { readFileSync } from 'node:fs'
import { machine, release } from 'node:os'

/** What the operating system says of the machine; tests put their own in. */
export interface HostFacts {
  /** As `process.platform`. */
  readonly platform: string
  /** As `process.arch`. */
  readonly arch: string
  /** The text of /proc/cpuinfo, or `undefined` where there is none. Asked for on ARM only. */
  readonly cpuInfo: () => string | undefined
  /** As `uname -m`. */
  readonly machine: () => string
  /** As `uname -r`; on Windows `10.0.<build>`. */
  readonly release: () => string
}

const thisHost: HostFacts = {
  platform: process.platform,
  arch: process.arch,
  cpuInfo: readCpuInfo,
  machine,
  release,
}

const goOs: Readonly<Record<string, string>> = { win32: 'windows', sunos: 'solaris', cygwin: 'windows' }
const goArchitecture: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le', // Node runs on the little-endian one only
  mipsel: 'mipsle',
}

/** The operating system of this machine, by Go's name for it. */
export const hostOs = (platform: string = process.platform): string => goOs[platform] ?? platform

/**
 * The platform of this machine, by Go's names.
 *
 * ARM has a variant, as read from /proc/cpuinfo, else from `uname -m`; amd64 has none, whatever it can do. Windows has
 * its version.
 *
 * @see containerd/platforms, DefaultSpec
 */
export function hostPlatform(facts: Partial<HostFacts> = {}): {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  readonly osVersion?: string
} {
  const host = { ...thisHost, ...facts }
  const os = hostOs(host.platform)
  const architecture = goArchitecture[host.arch] ?? host.arch
  const variant = architecture === 'arm' || architecture === 'arm64' ? armVariant(architecture, os, host) : ''
  return Object.freeze({
    os,
    architecture,
    ...(variant && { variant }),
    ...(os === 'windows' && { osVersion: host.release() }),
  })
}

const armVariant = (architecture: string, os: string, { cpuInfo, machine }: HostFacts): string => {
  // Only Linux tells; elsewhere 64 bits are v8, and 32 bits v7.
  if (os !== 'linux') return architecture === 'arm64' ? 'v8' : 'v7'
  const info = cpuInfo() ?? ''
  const version = field(info, 'cpu architecture') ?? versionOf(machine())
  // The kernel of a Raspberry Pi with an ARMv6 says 7.
  if (architecture === 'arm' && version === '7' && /^armv6-compatible/i.test(field(info, 'model name') ?? ''))
    return 'v6'
  return variantOf(version)
}

const field = (info: string, name: string): string | undefined => {
  for (const line of info.split('\n')) {
    const [key = '', value] = line.split(':')
    if (value !== undefined && key.trim().toLowerCase() === name) return value.trim()
  }
  return undefined
}

const versionOf = (name: string): string =>
  name.toLowerCase() === 'aarch64' ? '8' : (/^armv([3-8])/i.exec(name)?.[1] ?? '')

const variantOf = (version: string): string => {
  const text = version.toLowerCase()
  if (text === '8' || text === 'aarch64') return 'v8'
  if (/^(?:7|7m|\?\(1[2-7]\))$/.test(text)) return 'v7'
  const digit = /^(?:([3-6])|(6)tej|(5)(?:t|te|tej)|(4)t)$/.exec(text)?.slice(1).find(Boolean)
  return digit === undefined ? '' : `v${digit}`
}

function readCpuInfo(): string | undefined {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8')
  } catch {
    return undefined // a sandbox without /proc; `uname` answers instead
  }
}
