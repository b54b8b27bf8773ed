import test from 'ava'
import {
  defaultHosts,
  type Hosts,
  hostWithoutPort,
  isLoopbackHost,
} from '../../../src/remotes/registry/hosts.ts'

const places = test.macro({
  async exec(t, registry: string, address: string, ...schemes: readonly string[]) {
    const [host, ...others] = await defaultHosts()({ domain: registry })
    t.deepEqual(others, [])
    t.is(host?.name, registry)
    t.is(host?.address, address)
    t.deepEqual(host?.schemes, schemes)
    t.is(host?.path, '/v2')
  },
  title: (_, registry) => `defaultHosts() of ${registry}`,
})

test(places, 'docker.io', 'registry-1.docker.io', 'https')
test(places, 'index.docker.io', 'registry-1.docker.io', 'https')
test(places, 'ghcr.io', 'ghcr.io', 'https')
test(places, 'a.test:80', 'a.test:80', 'https')
test(places, 'localhost', 'localhost', 'https', 'http')
test(places, 'localhost:443', 'localhost:443', 'https', 'http')
test(places, 'localhost:5000', 'localhost:5000', 'http', 'https')
test(places, 'LOCALHOST:5000', 'LOCALHOST:5000', 'http', 'https')
test(places, '127.0.0.1:5000', '127.0.0.1:5000', 'http', 'https')
test(places, '127.9.9.9', '127.9.9.9', 'https', 'http')
test(places, '[::1]:5000', '[::1]:5000', 'http', 'https')
test(places, 'localhost.evil.test:5000', 'localhost.evil.test:5000', 'https')
test(places, '127.0.0.1.evil.test:5000', '127.0.0.1.evil.test:5000', 'https')
test(places, '10.0.0.1:5000', '10.0.0.1:5000', 'https')

test('defaultHosts() speaks plain http where it is asked for', async t => {
  const schemes = async (hosts: Hosts, domain: string) => (await hosts({ domain }))[0]?.schemes
  t.deepEqual(await schemes(defaultHosts({ plainHttp: true }), 'a.test'), ['http'])
  const some = defaultHosts({ plainHttp: registry => registry === 'a.test' })
  t.deepEqual(await schemes(some, 'a.test'), ['http'])
  t.deepEqual(await schemes(some, 'b.test'), ['https'])
})

test('hostWithoutPort() takes off the port, and brackets', t => {
  t.deepEqual(['a.test', 'a.test:5000', '[::1]:5000', '[::1]'].map(hostWithoutPort), [
    'a.test',
    'a.test',
    '::1',
    '::1',
  ])
})

test('isLoopbackHost() takes only what is an address for one', t => {
  t.false(isLoopbackHost('127.evil.test'))
  t.true(isLoopbackHost('127.0.0.2'))
})
