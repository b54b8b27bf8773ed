import test from 'ava'
import { compatiblePlatforms } from '../../src/oci/compatibility.ts'
import {
  anyOf,
  anyPlatform,
  hostMatcher,
  type Matcher,
  only,
  onlyOS,
  onlyStrict,
  ordered,
  platformMatcher,
} from '../../src/oci/matcher.ts'
import { formatPlatform, formatPlatformAll, type Platform, parsePlatform } from '../../src/oci/platform.ts'
import { runsOnWindows } from '../../src/oci/windows-version.ts'

const list = (texts: string): readonly Platform[] =>
  texts
    .split(' ')
    .filter(Boolean)
    .map(text => parsePlatform(text))
const sorted = (matcher: Matcher, texts: string): string =>
  list(texts).toSorted(matcher.compare).map(formatPlatformAll).join(' ')

const accepts = test.macro<[make: (platform: Platform) => Matcher, text: string, yes: string, no: string]>({
  exec(t, make, text, yes, no) {
    const matcher = make(parsePlatform(text))
    for (const platform of list(yes)) t.true(matcher.match(platform), formatPlatformAll(platform))
    for (const platform of list(no)) t.false(matcher.match(platform), formatPlatformAll(platform))
  },
  title: (_, make, text) => `${make.name}() of ${text}`,
})

const arms = 'linux/arm/v5 linux/arm/v6 linux/arm linux/arm/v7 linux/arm/v8'
const never = 'windows/amd64 windows/arm darwin/arm64 linux/s390x'

test(
  accepts,
  only,
  'linux/amd64',
  'linux/amd64 linux/amd64/v1 linux/386',
  `linux/amd64/v2 ${arms} linux/arm64 ${never}`,
)
test(
  accepts,
  only,
  'linux/amd64/v2',
  'linux/amd64 linux/amd64/v1 linux/amd64/v2 linux/386',
  `linux/amd64/v3 ${arms} ${never}`,
)
test(accepts, only, 'linux/386', 'linux/386 linux/i386', `linux/amd64 ${arms} ${never}`)
test(
  accepts,
  only,
  'windows/amd64',
  'windows/amd64 windows(10.0.17763)/amd64 windows(+win32k)/amd64',
  'windows(+x)/amd64 linux/amd64 windows/arm',
)
test(accepts, only, 'linux/arm/v8', arms, `linux/arm/v4 linux/arm64 linux/amd64 ${never}`)
test(
  accepts,
  only,
  'linux/arm/v7',
  'linux/arm linux/armhf linux/arm/v6 linux/arm/v5',
  `linux/arm/v4 linux/arm/v8 linux/arm64 ${never}`,
)
test(
  accepts,
  only,
  'linux/arm/v6',
  'linux/arm/v6 linux/armel linux/arm/v5',
  `linux/arm linux/arm/v4 linux/arm/v8 ${never}`,
)
test(accepts, only, 'linux/arm/v5', 'linux/arm/v5', `linux/arm linux/arm/v4 linux/arm/v6 ${never}`)
test(accepts, only, 'linux/arm/v4', 'linux/arm/v4', `${arms} ${never}`)
test(
  accepts,
  only,
  'linux/arm64',
  `linux/arm64 linux/arm64/v8 ${arms}`,
  `linux/arm64/v8.1 linux/arm64/v9 linux/arm/v4 linux/arm/v9 linux/amd64 ${never}`,
)
test(
  accepts,
  only,
  'linux/arm64/v8.1',
  `linux/arm64 linux/arm64/v8.1 ${arms}`,
  `linux/arm64/v8.2 linux/arm64/v9 ${never}`,
)
test(
  accepts,
  only,
  'linux/arm64/v9',
  `linux/arm64/v9 linux/arm64/v9.0 linux/arm64/v8.5 linux/arm64 ${arms}`,
  `linux/arm64/v8.6 linux/arm64/v9.1 ${never}`,
)
test(accepts, only, 'linux/arm64/v10', '', `linux/arm64/v10 linux/arm64 ${arms} ${never}`)
test(accepts, only, 'linux/s390x', 'linux/s390x', `linux/s390 linux/amd64 ${arms}`)
test(
  accepts,
  only,
  'linux(+a+b)/amd64',
  'linux/amd64 linux(+a)/386 linux(+b+a)/amd64',
  'linux(+c)/amd64 linux(+a+b+c)/amd64',
)
test(accepts, only, 'linux(1.2)/amd64', 'linux(3.4)/amd64', '')
test(
  accepts,
  onlyStrict,
  'linux/amd64',
  'linux/amd64 linux/x86_64 linux/amd64/v1',
  `linux/386 linux/amd64/v2 ${arms} ${never}`,
)
test(accepts, onlyStrict, 'linux/arm64', 'linux/arm64 linux/arm64/v8', `linux/arm64/v9 ${arms} ${never}`)
test(accepts, onlyStrict, 'linux/arm/v7', 'linux/arm linux/arm/v7', 'linux/arm/v6 linux/arm/v8 linux/arm64')
test(accepts, onlyStrict, 'linux/arm64/v9', 'linux/arm64/v9 linux/arm64/v9.0', 'linux/arm64 linux/arm64/v8.1')
test(
  accepts,
  onlyStrict,
  'windows(10.0.17763)/amd64',
  'windows/amd64 windows(10.0.17763.99)/amd64',
  'windows(10.0.20348)/amd64 linux/amd64',
)
test(
  accepts,
  onlyOS,
  'linux(+a)/amd64',
  `linux/amd64 linux(+a)/s390x linux/arm64 ${arms}`,
  'linux(+b)/amd64 windows/amd64',
)
test(
  accepts,
  onlyOS,
  'windows(10.0.20348)/amd64',
  'windows/arm64 windows(10.0.20348)/arm64',
  'windows(10.0.17763)/amd64 linux/amd64',
)

const vector = test.macro<[text: string, expected: string]>({
  exec(t, text, expected) {
    t.is(
      compatiblePlatforms(parsePlatform(text)).map(formatPlatform).join(' ').replaceAll('linux/', ''),
      expected,
    )
  },
  title: (_, text) => `compatiblePlatforms() of ${text}`,
})

const arm = 'arm/v8 arm/v7 arm/v6 arm/v5'
test(vector, 'linux/amd64', 'amd64 386')
test(vector, 'linux/amd64/v4', 'amd64/v4 amd64/v3 amd64/v2 amd64/v1 386')
test(vector, 'linux/amd64/odd', 'amd64/odd 386')
test(vector, 'linux/amd64/v99999999', 'amd64/v99999999 386')
test(vector, 'linux/arm', 'arm/v7 arm/v6 arm/v5')
test(vector, 'linux/arm/v8', arm)
test(vector, 'linux/arm/v5', 'arm/v5')
test(vector, 'linux/arm/v4', 'arm/v4')
test(vector, 'linux/arm64', `arm64/v8 ${arm}`)
test(vector, 'linux/arm64/v8.2', `arm64/v8.2 arm64/v8.1 arm64/v8 ${arm}`)
test(
  vector,
  'linux/arm64/v8.9',
  `${[9, 8, 7, 6, 5, 4, 3, 2, 1].map(n => `arm64/v8.${n} `).join('')}arm64/v8 ${arm}`,
)
test(
  vector,
  'linux/arm64/v9',
  `arm64/v9 arm64/v8.5 arm64/v8.4 arm64/v8.3 arm64/v8.2 arm64/v8.1 arm64/v8 ${arm}`,
)
test(
  vector,
  'linux/arm64/v9.7',
  `${[7, 6, 5, 4, 3, 2, 1].map(n => `arm64/v9.${n} `).join('')}arm64/v9 ${[9, 8, 7, 6, 5, 4, 3, 2, 1].map(n => `arm64/v8.${n} `).join('')}arm64/v8 ${arm}`,
)
test(vector, 'linux/arm64/v9.8', '')
test(vector, 'linux/arm64/v10', '')
test(vector, 'linux/riscv64', 'riscv64')

test('compatiblePlatforms() keeps version and features', t => {
  for (const platform of compatiblePlatforms(parsePlatform('windows(10.0.20348+x)/amd64'))) {
    t.is(platform.osVersion, '10.0.20348')
    t.deepEqual(platform.osFeatures, ['x'])
  }
})

test('only() puts the closest platform first', t => {
  t.is(
    sorted(
      only(parsePlatform('linux/amd64/v3')),
      'linux/386 windows/amd64 linux/amd64 linux/amd64/v2 linux/amd64/v3',
    ),
    'linux/amd64/v3 linux/amd64/v2 linux/amd64 linux/386 windows/amd64',
  )
  t.is(
    sorted(only(parsePlatform('linux/arm64')), 'linux/arm/v5 linux/arm linux/arm/v8 linux/arm64'),
    'linux/arm64 linux/arm/v8 linux/arm linux/arm/v5',
  )
})

test('ordered() prefers what is named first, then more features', t => {
  const matcher = ordered(...list('linux(+a+b)/s390x linux(+a+b)/amd64'))
  t.is(sorted(matcher, 'linux/arm64 linux/amd64 linux/s390x'), 'linux/s390x linux/amd64 linux/arm64')
  t.is(
    sorted(matcher, 'linux/amd64 linux(+a+b)/amd64 linux(+a)/amd64'),
    'linux(+a+b)/amd64 linux(+a)/amd64 linux/amd64',
  )
})

test('ordered() compares without features what matches only so', t => {
  const matcher = ordered(...list('linux/s390x linux/amd64'))
  t.is(sorted(matcher, 'linux(+z)/amd64 linux(+z)/s390x'), 'linux(+z)/s390x linux(+z)/amd64')
  t.false(matcher.match(parsePlatform('linux(+z)/s390x')))
})

test('ordered() of nothing accepts nothing and prefers nothing', t => {
  t.false(ordered().match(parsePlatform('linux/amd64')))
  t.is(ordered().compare(parsePlatform('linux/amd64'), parsePlatform('linux(+a)/arm')), 0)
})

test('anyOf() has no favourite, but puts what matches first', t => {
  const matcher = anyOf(...list('linux(+a)/s390x linux(+a)/amd64'))
  t.is(sorted(matcher, 'linux/arm64 linux/amd64 linux/s390x'), 'linux/amd64 linux/s390x linux/arm64')
  t.is(sorted(matcher, 'linux/s390x linux(+a)/amd64'), 'linux(+a)/amd64 linux/s390x')
  t.false(anyOf().match(parsePlatform('linux/amd64')))
})

test('onlyOS() puts the exact platform first and leaves the rest in their order', t => {
  t.is(
    sorted(onlyOS(parsePlatform('linux/arm64')), 'linux/s390x linux/386 linux/arm64/v8 linux/arm'),
    'linux/arm64/v8 linux/s390x linux/386 linux/arm',
  )
})

test('anyPlatform accepts all and prefers none', t => {
  t.true(anyPlatform.match({ os: '', architecture: '' }))
  t.is(anyPlatform.compare({ os: 'a', architecture: '' }, { os: 'b', architecture: '' }), 0)
})

test('hostMatcher() runs Linux images on macOS and FreeBSD, their own first', t => {
  for (const os of ['darwin', 'freebsd']) {
    const matcher = hostMatcher({ os, architecture: 'arm64', variant: 'v8' })
    t.is(sorted(matcher, `linux/amd64 linux/arm64 ${os}/arm64`), `${os}/arm64 linux/arm64 linux/amd64`)
    t.false(matcher.match(parsePlatform('linux/amd64')))
  }
})

test('hostMatcher() wants the newest that a Windows runs', t => {
  const matcher = hostMatcher({ os: 'windows', architecture: 'amd64', osVersion: '10.0.26100' })
  t.is(
    sorted(
      matcher,
      'linux/amd64 windows(10.0.20348.9)/amd64 windows(10.0.26100.3000)/amd64 windows(10.0.26100.2894)/amd64',
    ),
    'windows(10.0.26100.3000)/amd64 windows(10.0.26100.2894)/amd64 windows(10.0.20348.9)/amd64 linux/amd64',
  )
  t.false(matcher.match(parsePlatform('windows(10.0.17763)/amd64')))
  t.is(matcher.compare(...(list('windows/amd64 windows/amd64') as [Platform, Platform])), 0)
})

test('platformMatcher() takes what users name, in their order', t => {
  const matcher = platformMatcher(['linux/s390x', 'linux/amd64'])
  t.is(
    sorted(matcher, 'linux/386 linux/amd64 linux/s390x linux/arm'),
    'linux/s390x linux/amd64 linux/386 linux/arm',
  )
  t.false(matcher.match(parsePlatform('linux/arm')))
  t.true(platformMatcher().match(parsePlatform('linux')) || process.platform !== 'linux')
  t.throws(() => platformMatcher(['linux/*']), { code: 'INVALID_ARGUMENT' })
})

const windows = test.macro<[host: string, image: string, expected: boolean]>({
  exec(t, host, image, expected) {
    t.is(runsOnWindows(host, image), expected)
  },
  title: (_, host, image) => `runsOnWindows() of ${JSON.stringify(image)} on ${JSON.stringify(host)}`,
})

test(windows, '', '10.0.17763', true)
test(windows, '10.0.17763', '', true)
test(windows, '', '', true)
test(windows, '10.0.17763.1', '10.0.17763.2', true)
test(windows, '10.0.17763', '10.0.20348', false)
test(windows, '10.0.17763', '10.0.17762', false)
test(windows, '10.0.20348', '10.0.17763', false)
test(windows, '10.0.20348', '10.0.20348.1', true)
test(windows, '10.0.20348', '10.0.26100', false)
test(windows, '10.0.22621', '10.0.17763', false)
test(windows, '10.0.22621', '10.0.20348', true)
test(windows, '10.0.26100', '10.0.20348', true)
test(windows, '10.0.26100', '10.0.26100', true)
test(windows, '10.0.26100', '10.0.26101', false)
test(windows, '10.0.30000', '10.0.20348', true)
test(windows, '10.0.30000', '10.0.20347', false)
test(windows, '10.0.20348', '10.1.20348', false)
test(windows, '10.0.20348', '11.0.20348', false)
test(windows, '10.0', '10.0.17763', true)
test(windows, 'x.y.z', '10.0.17763', true)
test(windows, '300.0.1', '10.0.17763', true)
test(windows, '10.0.20348', '10.0', false)
test(windows, '10.0.20348', '10.0.99999', false)
