import test from 'ava'
import { hostPlatform } from '../../src/oci/host-platform.ts'

const linux = (arch: string, cpuInfo: string | undefined, machine = 'none') =>
  hostPlatform({ platform: 'linux', arch, cpuInfo: () => cpuInfo, machine: () => machine })

test('hostPlatform() says what this machine is', t => {
  const platform = hostPlatform()
  t.true(Object.isFrozen(platform))
  t.regex(platform.os, /^[a-z0-9]+$/)
  t.regex(platform.architecture, /^[a-z0-9]+$/)
})

test('hostPlatform() has Go names', t => {
  const ask = (platform: string, arch: string) =>
    hostPlatform({ platform, arch, release: () => '10.0.26100' })
  t.deepEqual(ask('linux', 'x64'), { os: 'linux', architecture: 'amd64' })
  t.deepEqual(ask('linux', 'ia32'), { os: 'linux', architecture: '386' })
  t.deepEqual(ask('linux', 'ppc64'), { os: 'linux', architecture: 'ppc64le' })
  t.deepEqual(ask('linux', 's390x'), { os: 'linux', architecture: 's390x' })
  t.deepEqual(ask('linux', 'loong64'), { os: 'linux', architecture: 'loong64' })
  t.deepEqual(ask('sunos', 'x64'), { os: 'solaris', architecture: 'amd64' })
  t.deepEqual(ask('win32', 'x64'), { os: 'windows', architecture: 'amd64', osVersion: '10.0.26100' })
  t.deepEqual(ask('darwin', 'arm64'), { os: 'darwin', architecture: 'arm64', variant: 'v8' })
})

const variant = test.macro<[arch: string, version: string, expected: string | undefined]>({
  exec(t, arch, version, expected) {
    t.is(linux(arch, `processor\t: 0\nCPU architecture: ${version}\nCPU part: 1\n`).variant, expected)
  },
  title: (_, arch, version, expected) =>
    `hostPlatform() takes ${arch} with architecture ${version} for ${expected}`,
})

test(variant, 'arm64', '8', 'v8')
test(variant, 'arm64', 'AArch64', 'v8')
for (const version of ['7', '7M', '?(12)', '?(17)']) test(variant, 'arm', version, 'v7')
for (const version of ['6', '6TEJ']) test(variant, 'arm', version, 'v6')
for (const version of ['5', '5T', '5TE', '5TEJ']) test(variant, 'arm', version, 'v5')
for (const version of ['4', '4T']) test(variant, 'arm', version, 'v4')
test(variant, 'arm', '3', 'v3')
test(variant, 'arm', '99', undefined)

test('hostPlatform() sees through a Raspberry Pi that says 7', t => {
  const info = 'model name\t: ARMv6-compatible processor rev 7 (v6l)\nCPU architecture: 7\n'
  t.is(linux('arm', info).variant, 'v6')
  t.is(linux('arm', info.replace('ARMv6', 'ARMv7')).variant, 'v7')
})

test('hostPlatform() asks uname when the processor does not say', t => {
  t.is(linux('arm', 'flags: none', 'armv7l').variant, 'v7')
  t.is(linux('arm', undefined, 'armv6l').variant, 'v6')
  t.is(linux('arm64', undefined, 'aarch64').variant, 'v8')
  t.is(linux('arm', undefined, 'x86_64').variant, undefined)
})
