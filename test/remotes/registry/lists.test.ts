import test, { type ExecutionContext } from 'ava'
import { credentialFor } from '../../../src/remotes/registry/credentials.ts'
import type { Host } from '../../../src/remotes/registry/hosts.ts'
import type { ListOptions } from '../../../src/remotes/types.ts'
import { all } from '../../support/bytes.ts'
import { startDockerRegistry } from '../../support/docker-registry.ts'
import { image } from '../../support/image.ts'
import { testWith } from '../../support/programs.ts'
import { type Fault, type RegistryOptions, startRecorder, startRegistry } from '../../support/registry.ts'
import { json } from '../../support/registry-answer.ts'
import {
  change,
  dropAfter,
  endless,
  hangUp,
  headers,
  htmlPage,
  redirect,
  silence,
  status,
} from '../../support/registry-faults.ts'
import { quickResolver } from '../../support/resolver.ts'
import { uploadBlob, uploadManifest } from '../../support/upload.ts'

const names = ['1.0', '1.1', '1.2', '2.0', 'latest']

async function withTags(t: ExecutionContext, options: RegistryOptions = {}) {
  const registry = await startRegistry(t, options)
  for (const tag of names) registry.put('a/b', tag, { tag })
  const { resolver } = quickResolver(t)
  const repository = await resolver.repository(`${registry.host}/a/b`)
  const tags = (list?: ListOptions) => all(repository.tags(list))
  return { registry, resolver, repository, tags }
}

const paths = (requests: readonly { readonly path: string }[]) => requests.map(({ path }) => path)

test('tags() of one page asks once, and for no number', async t => {
  const { registry, tags } = await withTags(t)
  t.deepEqual(await tags(), names)
  t.deepEqual(paths(registry.requests), ['/v2/a/b/tags/list'])
})

test('tags() follows the links of pages', async t => {
  const { registry, tags } = await withTags(t, { pageSize: 2 })
  t.deepEqual(await tags(), names)
  t.deepEqual(paths(registry.requests), [
    '/v2/a/b/tags/list',
    '/v2/a/b/tags/list?n=2&last=1.1',
    '/v2/a/b/tags/list?n=2&last=2.0',
  ])
})

test('tags() asks for a page size and a start', async t => {
  const { registry, tags } = await withTags(t)
  t.deepEqual(await tags({ pageSize: 3, last: '1.0' }), names.slice(1))
  t.deepEqual(paths(registry.requests), ['/v2/a/b/tags/list?n=3&last=1.0', '/v2/a/b/tags/list?n=3&last=2.0'])
})

test('tags() asks for no more pages than are read', async t => {
  const { registry, repository } = await withTags(t, { pageSize: 2 })
  for await (const tag of repository.tags()) if (tag === '1.1') break
  t.is(registry.requests.length, 1)
})

test('tags() refuses a page size that is none before anything is sent', async t => {
  const { registry, repository } = await withTags(t)
  for (const pageSize of [0, -1, 1.5, Number.NaN])
    t.throws(() => repository.tags({ pageSize }), { code: 'INVALID_ARGUMENT' })
  t.deepEqual(registry.requests, [])
})

test('tags() of a repository that is not there is NOT_FOUND and names it', async t => {
  const { registry, tags } = await withTags(t)
  registry.always(/tags/, status(404, {}, '{"errors":[{"code":"NAME_UNKNOWN","message":"no such name"}]}'))
  await t.throwsAsync(tags(), { code: 'NOT_FOUND', message: /a\/b: tags: not found.*no such name/ })
})

const link = (value: string | readonly string[]): Fault =>
  change(answer => ({ ...answer, headers: { ...answer.headers, link: value } }))

const follows = test.macro({
  exec: async (t, make: (host: string) => string | readonly string[]) => {
    const second = '/v2/a/b/tags/list?last=x'
    const { registry, tags } = await withTags(t)
    registry.next(/tags/, link(make(registry.host)))
    t.deepEqual(await tags(), [...names, ...names])
    t.deepEqual(paths(registry.requests), ['/v2/a/b/tags/list', second])
  },
  title: title => `tags() follows a link ${title}`,
})

test('that is relative', follows, () => '<?last=x>; rel="next"')
test('that is a path', follows, () => '</v2/a/b/tags/list?last=x>; rel="next"')
test('with dots in it', follows, () => '<../../b/tags/list?last=x>; rel="next"')
test('that is absolute', follows, host => `<http://${host}/v2/a/b/tags/list?last=x>; rel="next"`)
test('of another scheme', follows, host => `<https://${host}/v2/a/b/tags/list?last=x>; rel="next"`)
test('without quotes', follows, () => '</v2/a/b/tags/list?last=x>; rel=next')
test('in capitals', follows, () => '</v2/a/b/tags/list?last=x>; REL="Next"')
test('among others', follows, () => '</first>; rel="first", </v2/a/b/tags/list?last=x>; rel="next"')
test('of two relations', follows, () => '</v2/a/b/tags/list?last=x>; title="a"; rel="last next"')
test('in a second header', follows, () => ['</first>; rel="first"', '</v2/a/b/tags/list?last=x>; rel="next"'])
test(
  'to a path of a proxy, of which only the query counts',
  follows,
  () => '</proxied/tags/list?last=x>; rel="next"',
)

test('tags() does not follow a link that leads elsewhere than on', async t => {
  const { registry, tags } = await withTags(t)
  registry.next(/tags/, link('</v2/a/b/tags/list?last=x>; rel="prev"'))
  t.deepEqual(await tags(), names)
  t.is(registry.requests.length, 1)
})

test('a link to another origin is asked of the registry itself, and no one else hears of it', async t => {
  const user = { username: 'keeper', password: 'hunter2' }
  const other = await startRecorder(t, ({ response }) => void response.end('{}'))
  const registry = await startRegistry(t, { auth: { type: 'basic', ...user } })
  for (const tag of names) registry.put('a/b', tag, { tag })
  registry.next(
    /tags/,
    status(401, { 'www-authenticate': 'Basic realm="x"' }),
    link(`<http://${other.host}/v2/a/b/tags/list?last=2.0>; rel="next"`),
  )
  const { resolver } = quickResolver(t, { credentials: credentialFor(registry.host, user) })
  const repository = await resolver.repository(`${registry.host}/a/b`)
  t.deepEqual(await all(repository.tags()), [...names, 'latest'])
  t.deepEqual(other.requests, [])
  t.is(registry.requests.at(-1)?.path, '/v2/a/b/tags/list?last=2.0')
})

test('tags() survives a page that is busy, and one that breaks', async t => {
  const { registry, tags } = await withTags(t, { pageSize: 2 })
  registry.next(/last=1\.1/, status(429, { 'retry-after': '1' }), dropAfter(5), hangUp)
  t.deepEqual(await tags(), names)
})

const fails = test.macro({
  exec: async (t, fault: Fault, code: string, message: RegExp) => {
    const { registry, tags } = await withTags(t)
    registry.always(/tags/, fault)
    await t.throwsAsync(tags(), { code, message })
    t.true(registry.requests.length < 20)
  },
  title: title => `tags() fails on ${title}`,
})

const body = (text: string): Fault => change(answer => ({ ...answer, body: Buffer.from(text) }))

test(
  'a page that leads to itself',
  fails,
  link('</v2/a/b/tags/list>; rel="next"'),
  'FAILED_PRECONDITION',
  /circle/,
)
test('a loop of pages', fails, link('<?last=x>; rel="next"'), 'FAILED_PRECONDITION', /circle/)
test('a link that is no URL', fails, link('<http://[>; rel="next"'), 'FAILED_PRECONDITION', /no URL/)
test('a page that never ends', fails, endless, 'RESOURCE_EXHAUSTED', /page of more than 8388608 bytes/)
test(
  'a page that says it is too large',
  fails,
  change(a => ({ ...a, body: Buffer.alloc(9_000_000, ' ') })),
  'RESOURCE_EXHAUSTED',
  /ask for smaller pages/,
)
test('an HTML page', fails, htmlPage, 'INVALID_ARGUMENT', /HTML/)
test('JSON that is no list', fails, body('[]'), 'INVALID_ARGUMENT', /expected an object/)
test('tags that are no list', fails, body('{"tags":{}}'), 'INVALID_ARGUMENT', /tags: expected an array/)
test(
  'a tag that is none',
  fails,
  body('{"tags":["a/../b"]}'),
  'INVALID_ARGUMENT',
  /"a\/\.\.\/b" is not a name/,
)
test('a redirect that never ends', fails, redirect('/v2/a/b/tags/list'), 'FAILED_PRECONDITION', /redirects/)

const takes = test.macro({
  exec: async (t, text: string, expected: readonly string[]) => {
    const { registry, tags } = await withTags(t)
    registry.always(/tags/, body(text))
    t.deepEqual(await tags(), expected)
  },
  title: (_, text) => `tags() takes ${text}`,
})

test(takes, '{"name":"a/b","tags":null}', [])
test(takes, '{"name":"a/b"}', [])
test(takes, '{"tags":["","a",null]}', ['a'])
test(takes, `{"tags":["a","sha256:${'0'.repeat(64)}"]}`, ['a'])

test('an abort of tags() ends it while a page does not come', async t => {
  const { registry, repository } = await withTags(t, { pageSize: 2 })
  const stop = new AbortController()
  const reason = new Error('enough')
  registry.next(/last=/, exchange => {
    silence(exchange)
    stop.abort(reason)
  })
  t.is(await t.throwsAsync(all(repository.tags({ signal: stop.signal }))), reason)
})

const mirrored =
  (...addresses: readonly string[]) =>
  async (): Promise<readonly Host[]> =>
    addresses.map((address, at) => ({
      name: at === addresses.length - 1 ? 'a.test' : address,
      address,
      schemes: ['http'],
      path: '/v2',
      capabilities: new Set(['pull', 'resolve', 'referrers']),
    }))

test('tags() asks the next host when the first fails, but not in the middle of a list', async t => {
  const mirror = await startRegistry(t, { pageSize: 2 })
  const home = await startRegistry(t)
  for (const tag of names) for (const at of [mirror, home]) at.put('a/b', tag, { tag })
  const { resolver } = quickResolver(t, { hosts: mirrored(mirror.host, home.host) })
  const repository = await resolver.repository('a.test/a/b')
  mirror.next(/tags/, status(403))
  t.deepEqual(await all(repository.tags()), names)
  t.is(home.requests.length, 1)
  mirror.next(/last=/, status(403))
  await t.throwsAsync(all(repository.tags()), { code: 'PERMISSION_DENIED' })
  t.is(home.requests.length, 1)
})

test('repositories() lists what the registry tells, with the scope of a catalog', async t => {
  const registry = await startRegistry(t, { pageSize: 1, auth: { type: 'bearer' } })
  registry.put('a/b', '1', {})
  registry.put('c', '1', {})
  const { resolver } = quickResolver(t)
  t.deepEqual(await all(resolver.repositories(registry.host)), ['a/b', 'c'])
  t.true(registry.requests.some(({ path }) => path.includes('scope=registry%3Acatalog%3A*')))
})

test('repositories() refuses what is no registry', async t => {
  const { resolver } = quickResolver(t)
  for (const text of ['', 'busybox', 'a.test/b', 'http://a.test', 'a b.test'])
    t.throws(() => resolver.repositories(text), { code: 'INVALID_ARGUMENT', message: /not a host/ })
})

test('repositories() takes capital letters, and no paths that lead away', async t => {
  const registry = await startRegistry(t)
  const { resolver } = quickResolver(t)
  const list = () => all(resolver.repositories(registry.host))
  registry.next(/_catalog/, exchange => change(() => json(200, { repositories: ['A/b'] }))(exchange))
  t.deepEqual(await list(), ['A/b'])
  registry.next(
    /_catalog/,
    headers({}),
    change(() => json(200, { repositories: ['../x'] })),
  )
  await list()
  await t.throwsAsync(list(), { code: 'INVALID_ARGUMENT' })
})

const debian = testWith('docker-registry')

debian("tags() and repositories() page through Debian's docker-registry", async t => {
  const { host, url } = await startDockerRegistry(t)
  const root = image('linux/amd64', 'one')
  for (const { desc, bytes } of root.below) await uploadBlob(url, 'a/b', desc.digest, bytes)
  for (const { desc, bytes } of root.below) await uploadBlob(url, 'c', desc.digest, bytes)
  for (const tag of names) await uploadManifest(url, 'a/b', tag, root.desc.mediaType, root.bytes)
  const { resolver } = quickResolver(t)
  const repository = await resolver.repository(`${host}/a/b`)
  t.deepEqual((await all(repository.tags())).toSorted(), names)
  t.deepEqual((await all(repository.tags({ pageSize: 2 }))).toSorted(), names)
  t.deepEqual(await all(resolver.repositories(host, { pageSize: 1 })), ['a/b', 'c'])
  t.true(await repository.has(root.desc))
  await t.throwsAsync(all((await resolver.repository(`${host}/gone`)).tags()), { code: 'NOT_FOUND' })
  // It has no referrers API, and nobody has made the tag.
  t.deepEqual(await all(repository.referrers(root.desc.digest)), [])
})
