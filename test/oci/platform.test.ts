import test from 'ava'
import fc from 'fast-check'
import {
  formatPlatform,
  formatPlatformAll,
  normalizePlatform,
  type Platform,
  parsePlatform,
  platformToJson,
  readPlatform,
} from '../../src/oci/platform.ts'

const amd64Host: Platform = { os: 'linux', architecture: 'amd64' }

const parses = test.macro<[text: string, expected: Platform, formatted: string, host?: Platform]>({
  exec(t, text, expected, formatted, host = amd64Host) {
    const platform = parsePlatform(text, host)
    t.deepEqual(platform, expected)
    t.true(Object.isFrozen(platform))
    t.is(formatPlatformAll(platform), formatted)
    t.deepEqual(formatPlatformAll(parsePlatform(formatted, host)), formatted)
  },
  title: (_, text) => `parsePlatform() reads ${text}`,
})

const on = (architecture: string, variant?: string, os = 'linux'): Platform => ({
  os,
  architecture,
  ...(variant !== undefined && { variant }),
})

test(parses, 'linux/arm64', on('arm64'), 'linux/arm64')
test(parses, 'linux/arm64/v8', on('arm64', 'v8'), 'linux/arm64/v8')
test(parses, 'linux/arm64/v9.0', on('arm64', 'v9'), 'linux/arm64/v9')
test(parses, 'linux/arm', on('arm'), 'linux/arm')
test(parses, 'linux/arm/v6', on('arm', 'v6'), 'linux/arm/v6')
test(parses, 'linux/arm/v7', on('arm', 'v7'), 'linux/arm/v7')
test(parses, 'linux/arm/7', on('arm', 'v7'), 'linux/arm/v7')
test(parses, 'linux/amd64/v1', on('amd64'), 'linux/amd64')
test(parses, 'linux/amd64/v3', on('amd64', 'v3'), 'linux/amd64/v3')
test(parses, 'arm', on('arm'), 'linux/arm')
test(parses, 'armel', on('arm', 'v6'), 'linux/arm/v6')
test(parses, 'armhf', on('arm'), 'linux/arm')
test(parses, 'Aarch64', on('arm64'), 'linux/arm64')
test(parses, 'x86_64', on('amd64'), 'linux/amd64')
test(parses, 'Linux/x86_64', on('amd64'), 'linux/amd64')
test(parses, 'i386', on('386'), 'linux/386')
test(parses, 'linux', on('amd64'), 'linux/amd64')
test(parses, 'Linux', on('arm', 'v6'), 'linux/arm/v6', on('arm', 'v6'))
test(parses, 'linux()', on('arm'), 'linux/arm', on('arm', 'v7'))
test(parses, 'freebsd', on('arm64', undefined, 'freebsd'), 'freebsd/arm64', on('arm64', 'v8'))
test(parses, 's390x', on('s390x'), 'linux/s390x')
test(parses, 'riscv64', on('riscv64', undefined, 'darwin'), 'darwin/riscv64', on('amd64', '', 'darwin'))
test(parses, 'linux/s390x', on('s390x'), 'linux/s390x')
test(parses, 'macOS', on('amd64', undefined, 'darwin'), 'darwin/amd64')
test(parses, 'arm64/v8', on('v8', undefined, 'arm64'), 'arm64/v8')
test(parses, 'plan10/z80/v1', on('z80', 'v1', 'plan10'), 'plan10/z80/v1')
test(parses, 'windows()', on('amd64', undefined, 'windows'), 'windows/amd64')
test(
  parses,
  'windows(10.0.17763)',
  { os: 'windows', architecture: 'amd64', osVersion: '10.0.17763' },
  'windows(10.0.17763)/amd64',
)
test(
  parses,
  'windows(10.0.17763+win32k)/amd64',
  { os: 'windows', architecture: 'amd64', osVersion: '10.0.17763', osFeatures: ['win32k'] },
  'windows(10.0.17763+win32k)/amd64',
)
test(
  parses,
  'linux(+unsorted+erofs)',
  { os: 'linux', architecture: 'amd64', osFeatures: ['unsorted', 'erofs'] },
  'linux(+erofs+unsorted)/amd64',
)
test(
  parses,
  'linux(++gpu+)/arm64',
  { os: 'linux', architecture: 'arm64', osFeatures: ['gpu'] },
  'linux(+gpu)/arm64',
)
test(
  parses,
  'windows(10.0%2Bbuild.42+a%2Fb)',
  { os: 'windows', architecture: 'amd64', osVersion: '10.0+build.42', osFeatures: ['a/b'] },
  'windows(10.0%2Bbuild.42+a%2Fb)/amd64',
)
test(
  parses,
  'windows(50%25done)',
  { os: 'windows', architecture: 'amd64', osVersion: '50%done' },
  'windows(50%25done)/amd64',
)

const refuses = test.macro<[text: string]>({
  exec(t, text) {
    t.throws(() => parsePlatform(text, amd64Host), {
      code: 'INVALID_ARGUMENT',
      message: /^platform ".*linux\/arm64$/s,
    })
  },
  title: (_, text) => `parsePlatform() refuses ${JSON.stringify(text.slice(0, 40))}`,
})

for (const text of [
  '',
  '/',
  '/linux/arm',
  'linux/arm/',
  'linux//arm',
  'linux /arm',
  'linux/&arm',
  'linux/arm/foo/bar',
  '*',
  'linux/*',
  '*/arm64',
  'nonsense',
  'linux(',
  'linux)',
  'linux(a(b))',
  'linux/arm(1)',
  'win dows',
  'windows(a%zz)',
  'windows(%ff)',
  'windows(a b)/amd64',
  'linux/arm\n',
  '\u{1f600}',
  `linux/${'a'.repeat(2000)}`,
  `linux(${'+'.repeat(65_536)})/amd64`,
])
  test(refuses, text)

const normalizes = test.macro<[from: string, to: string]>({
  exec(t, from, to) {
    const [, os = '', architecture = '', variant = ''] = /^([^/]*)\/([^/]*)(?:\/(.*))?$/.exec(from) ?? []
    t.is(formatPlatform(normalizePlatform({ os, architecture, variant })), to)
  },
  title: (_, from, to) => `normalizePlatform() makes ${from} ${to}`,
})

for (const [from, to] of [
  ['LINUX/i386/x', 'linux/386'],
  ['macOS/X86_64', 'darwin/amd64'],
  ['linux/x86-64/V2', 'linux/amd64/v2'],
  ['linux/amd64/v1', 'linux/amd64'],
  ['linux/aarch64/8', 'linux/arm64'],
  ['linux/arm64/v8', 'linux/arm64'],
  ['linux/arm64/v8.0', 'linux/arm64'],
  ['linux/arm64/v8.1', 'linux/arm64/v8.1'],
  ['linux/arm64/9', 'linux/arm64/v9'],
  ['linux/arm64/9.0', 'linux/arm64/v9'],
  ['linux/arm64/v9.1', 'linux/arm64/v9.1'],
  ['linux/armhf/v5', 'linux/arm/v7'],
  ['linux/armel', 'linux/arm/v6'],
  ['linux/arm', 'linux/arm/v7'],
  ['linux/arm/5', 'linux/arm/v5'],
  ['linux/arm/6', 'linux/arm/v6'],
  ['linux/arm/7', 'linux/arm/v7'],
  ['linux/arm/8', 'linux/arm/v8'],
  ['linux/mips64le/softfloat', 'linux/mips64le/softfloat'],
] as const)
  test(normalizes, from, to)

test('normalizePlatform() sorts features, drops doubles and leaves the given list alone', t => {
  const osFeatures = Object.freeze(['b', 'a', 'b'])
  t.deepEqual(normalizePlatform({ os: 'windows', architecture: 'amd64', osVersion: '10.0.1', osFeatures }), {
    os: 'windows',
    architecture: 'amd64',
    osVersion: '10.0.1',
    osFeatures: ['a', 'b'],
  })
})

test('normalizePlatform() takes the system of this machine for none', t => {
  t.is(normalizePlatform({ os: '', architecture: 'arm64' }).os, parsePlatform('arm64').os)
})

test('formatPlatform() leaves out what is empty', t => {
  t.is(formatPlatform({ os: '', architecture: 'amd64' }), 'unknown')
  t.is(formatPlatform({ os: 'linux', architecture: '' }), 'linux')
  t.is(formatPlatform({ os: 'linux', architecture: 'arm', variant: 'v7' }), 'linux/arm/v7')
  t.is(formatPlatform({ os: 'windows', architecture: 'amd64', osVersion: '10' }), 'windows/amd64')
})

test('formatPlatformAll() escapes what would be read as something else', t => {
  const format = (osVersion: string, ...osFeatures: string[]) =>
    formatPlatformAll({ os: 'windows', architecture: 'amd64', osVersion, osFeatures })
  t.is(format('1.0(beta)'), 'windows(1.0%28beta%29)/amd64')
  t.is(format('a/b', 'feat+1', '', '100%gpu'), 'windows(a%2Fb+100%25gpu+feat%2B1)/amd64')
  t.is(format('a b~\ud800'), 'windows(a%20b%7E%EF%BF%BD)/amd64')
  t.is(formatPlatformAll({ os: '', architecture: '', osVersion: '1' }), 'unknown')
})

const word = fc.string({ unit: fc.constantFrom(...'abcxyz0123456789_.-'), minLength: 1, maxLength: 6 })
const anyText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 })

test('parsePlatform() undoes formatPlatformAll() for normal platforms', t => {
  const platforms = fc.record({
    os: fc.constantFrom('linux', 'windows', 'darwin', 'plan10'),
    architecture: fc.oneof(word, fc.constantFrom('arm', 'arm64', 'amd64', '386', 'armhf')),
    variant: fc.oneof(fc.constant(''), word),
    osVersion: fc.oneof(fc.constant(''), anyText),
    osFeatures: fc.array(anyText, { maxLength: 3 }),
  })
  fc.assert(
    fc.property(platforms, platform => {
      const normal = normalizePlatform(platform)
      t.deepEqual(normalizePlatform(parsePlatform(formatPlatformAll(normal))), normal)
    }),
  )
})

test('readPlatform() undoes platformToJson()', t => {
  const platform: Platform = Object.freeze({
    os: 'windows',
    architecture: 'arm64',
    variant: 'v8',
    osVersion: '10.0.1',
    osFeatures: ['win32k'],
  })
  t.deepEqual(readPlatform(JSON.parse(JSON.stringify(platformToJson(platform))), 'p'), platform)
  t.deepEqual(readPlatform({}, 'p'), { os: '', architecture: '' })
  t.deepEqual(readPlatform({ os: null, variant: '', 'os.features': [] }, 'p'), { os: '', architecture: '' })
})

test('readPlatform() names the field that is wrong', t => {
  t.throws(() => readPlatform({ os: 1 }, 'p'), {
    code: 'INVALID_ARGUMENT',
    message: 'p.os: expected a string, got 1',
  })
  t.throws(() => readPlatform({ 'os.features': ['a', {}] }, 'p'), {
    message: 'p.os.features[1]: expected a string, got an object',
  })
  t.throws(() => readPlatform([], 'p'), { message: 'p: expected an object, got an array' })
})
