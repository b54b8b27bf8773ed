import test from 'ava'
import {
  guardedLookup,
  guardProxied,
  guardUrl,
  isPrivateAddress,
  refusePrivate,
} from '../../../src/remotes/registry/private-address.ts'

const judges = test.macro({
  exec(t, address: string, expected: boolean) {
    t.is(isPrivateAddress(address), expected)
  },
  title: (_, address, expected) => `isPrivateAddress() of ${address} is ${expected}`,
})

for (const address of [
  '127.0.0.1',
  '127.255.255.255',
  '0.0.0.0',
  '10.1.2.3',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::1',
  '::',
  'fe80::1',
  'fe80::1%eth0',
  'fd00::1',
  'ff02::1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '64:ff9b::a00:1',
  '2002:7f00:1::',
  'not an address',
])
  test(judges, address, true)
for (const address of ['1.1.1.1', '8.8.8.8', '172.32.0.1', '172.15.0.1', '2606:4700::1111', '::ffff:8.8.8.8'])
  test(judges, address, false)

const guards = test.macro({
  exec(t, url: string) {
    t.throws(() => guardUrl(new URL(url), refusePrivate), { code: 'PERMISSION_DENIED' })
  },
  title: (_, url) => `guardUrl() refuses ${url}`,
})

for (const url of [
  'http://127.0.0.1/x',
  'http://2130706433/x',
  'http://0x7f.1/x',
  'http://[::1]/x',
  'http://[::ffff:127.0.0.1]/x',
  'http://localhost/x',
  'http://LOCALHOST./x',
  'http://a.localhost/x',
  'http://169.254.169.254/latest/meta-data',
])
  test(guards, url)

test('guardUrl() lets names and public addresses pass', t => {
  t.notThrows(() => guardUrl(new URL('https://a.test/x'), refusePrivate))
  t.notThrows(() => guardUrl(new URL('https://1.1.1.1/x'), refusePrivate))
})

test('guardProxied() refuses a name that stands for a private address here, and lets unknown ones pass', async t => {
  const guard = (name: string, ...addresses: readonly string[]) =>
    guardProxied(new URL(`https://${name}/x`), refusePrivate, {}, async () => addresses)
  for (const [name, ...addresses] of [
    ['a.test', '10.0.0.1'],
    ['a.test', '1.1.1.1', '::1'],
    ['localhost', '1.1.1.1'],
    ['[fd00::1]'],
  ] as const)
    await t.throwsAsync(guard(name, ...addresses), { code: 'PERMISSION_DENIED' }, `${name} ${addresses}`)
  await t.notThrowsAsync(guard('a.test', '1.1.1.1'))
  await t.notThrowsAsync(guard('a.test'))
  await t.notThrowsAsync(guard('1.1.1.1', '10.0.0.1'))
})

test('guardedLookup() refuses a name that stands for this machine', async t => {
  const failure = await new Promise(resolve =>
    guardedLookup(refusePrivate)('localhost', { all: false }, error => resolve(error)),
  )
  t.like(failure, { code: 'PERMISSION_DENIED' })
})

test('guardedLookup() finds a name that may be found, in both forms', async t => {
  const lookup = guardedLookup(() => {})
  const one = await new Promise(resolve => lookup('localhost', {}, (_, address) => resolve(address)))
  const all = await new Promise(resolve => lookup('localhost', { all: true }, (_, list) => resolve(list)))
  t.is(typeof one, 'string')
  t.true(Array.isArray(all))
})
