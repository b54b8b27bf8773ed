import test from 'ava'
import { type HostSection, hostsToml } from '../../../src/remotes/registry/hosts-toml.ts'
import { readToml } from '../../../src/remotes/registry/toml.ts'

const read = (text: string) => readToml(text, '/certs/hosts.toml', table => hostsToml(table, '/certs'))

const upstream: HostSection = { path: '/v2', ca: [], client: [], headers: {} }
const server = (scheme: 'https' | 'http', address: string): HostSection => ({
  ...upstream,
  server: { scheme, address },
})

const reads = test.macro({
  exec: async (t, text: string, ...expected: readonly HostSection[]) => {
    t.deepEqual(await read(text), expected as unknown as Awaited<ReturnType<typeof read>>)
  },
  title: (_, text) => `hosts.toml ${JSON.stringify(text)}`,
})

test(reads, '', upstream)
test(reads, 'server = ""', upstream)
test(reads, 'server = "https://a.test"', server('https', 'a.test'))
test(reads, 'server = "a.test:5000"', server('https', 'a.test:5000'))
test(reads, 'server = "http://a.test:80"', server('http', 'a.test:80'))
test(reads, 'server = "https://user:secret@a.test"', server('https', 'a.test'))
test(reads, 'unknown = 1', upstream)
test(
  reads,
  '[host."https://b.test"]\n[host."http://a.test"]\n[host."c.test"]\n[host."http://a.test".header]\nx = "1"',
  server('https', 'b.test'),
  { ...server('http', 'a.test'), headers: { x: '1' } },
  server('https', 'c.test'),
  upstream,
)
test(
  reads,
  'server = "https://up.test"\nskip_verify = true\n[host."https://m.test"]',
  server('https', 'm.test'),
  { ...server('https', 'up.test'), skipVerify: true },
)
test(
  reads,
  'host = { "https://m.test" = { skip_verify = false } }',
  {
    ...server('https', 'm.test'),
    skipVerify: false,
  },
  upstream,
)

const part = test.macro({
  exec: async (t, text: string, expected: Partial<HostSection>) => {
    const [host] = await read(`[host."https://m.test"]\n${text}`)
    t.deepEqual(host, { ...server('https', 'm.test'), ...expected })
  },
  title: (_, text) => `hosts.toml, of a host: ${JSON.stringify(text)}`,
})

test(part, 'capabilities = ["pull", "RESOLVE"]', { capabilities: new Set(['pull', 'resolve'] as const) })
test(part, 'capabilities = ["push", "referrers"]', { capabilities: new Set(['push', 'referrers'] as const) })
test(part, 'capabilities = []', {})
test(part, 'ca = "ca.pem"', { ca: ['/certs/ca.pem'] })
test(part, 'ca = ["ca.pem", "/other/ca.pem"]', { ca: ['/certs/ca.pem', '/other/ca.pem'] })
test(part, 'client = "both.pem"', { client: [['/certs/both.pem']] })
test(part, 'client = ["a.pem", "b.pem"]', { client: [['/certs/a.pem'], ['/certs/b.pem']] })
test(part, 'client = [["a.cert", "/k/a.key"], ["b.cert", "b.key"]]', {
  client: [
    ['/certs/a.cert', '/k/a.key'],
    ['/certs/b.cert', '/certs/b.key'],
  ],
})
test(part, 'client = ["a.pem", ["b.cert", "b.key"]]', {
  client: [['/certs/a.pem'], ['/certs/b.cert', '/certs/b.key']],
})
test(part, 'dial_timeout = "1m2.5s"', { connectMs: 62_500 })
test(part, 'dial_timeout = "250ms"', { connectMs: 250 })
test(part, 'dial_timeout = ""', {})
test(part, 'header = { X-One = "1", X-Two = ["a", "b"] }', { headers: { 'x-one': '1', 'x-two': 'a, b' } })

const paths = test.macro({
  exec: async (t, url: string, override: boolean, expected: string) => {
    const [host] = await read(`[host."${url}"]\noverride_path = ${override}`)
    t.is(host?.path, expected)
  },
  title: (_, url, override) => `hosts.toml puts the path of ${url}${override ? ' as it is' : ' before /v2'}`,
})

test(paths, 'https://m.test', false, '/v2')
test(paths, 'https://m.test', true, '')
test(paths, 'https://m.test/', false, '/v2')
test(paths, 'https://m.test/', true, '')
test(paths, 'https://m.test/v2', false, '/v2')
test(paths, 'https://m.test/v2/', false, '/v2')
test(paths, 'https://m.test/v2/cache', false, '/v2/cache/v2')
test(paths, 'https://m.test/v2/cache', true, '/v2/cache')
test(paths, 'https://m.test//a/../b', false, '/b/v2')

const refuses = test.macro({
  exec: async (t, text: string, message: RegExp) => {
    const error = await t.throwsAsync(read(text), { code: 'FAILED_PRECONDITION', message })
    t.true(error?.message.startsWith('/certs/hosts.toml'))
    t.false(error?.message.includes('secret'))
  },
  title: (_, text) => `hosts.toml is refused: ${JSON.stringify(text)}`,
})

test(refuses, 'server =', /hosts\.toml:1:\d+: not TOML/)
test(refuses, 'server = "a"\nserver = "b"', /hosts\.toml:2:\d+: not TOML/)
test(refuses, '[header]\nauthorization = "secret\n', /hosts\.toml:2:\d+: not TOML/)
test(refuses, 'server = 5', /server: expected a string/)
test(refuses, 'server = "https://user:secret@a b"', /server: "https:\/\/a b" is not the URL/)
test(refuses, 'server = "ftp://a.test"', /"ftp:\/\/a\.test" is not the URL/)
test(refuses, 'host = "a.test"', /host: expected an object/)
test(refuses, '[host.""]', /host\."": "" is not the URL/)
test(refuses, '[host."https://a.test"]\ncapabilities = ["fly"]', /unknown capability "fly"; there are pull/)
test(refuses, '[host."https://a.test"]\ncapabilities = "pull"', /capabilities: expected an array/)
test(refuses, 'ca = 1', /ca: expected an array/)
test(refuses, 'client = [["a.cert"]]', /client\[0\]: expected a certificate and its key/)
test(refuses, 'client = [["a", "b", "c"]]', /client\[0\]: expected a certificate and its key/)
test(refuses, 'client = [1]', /client\[0\]: expected an array/)
test(refuses, 'skip_verify = "yes"', /skip_verify: expected true or false/)
test(refuses, 'override_path = 1', /override_path: expected true or false/)
test(refuses, 'dial_timeout = "10"', /dial_timeout: "10" is not a duration/)
test(refuses, '[header]\n"a b" = "1"', /header\."a b": not the name of a header/)
test(refuses, '[header]\na = "secret\\r\\nb: c"', /header\."a": not the value of a header/)
test(refuses, '[header]\na = 1', /header\."a": expected a string/)
