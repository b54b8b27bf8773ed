import test from 'ava'
import type { Credential, Credentials } from '../../../src/remotes/registry/credential.ts'
import { credentialFor } from '../../../src/remotes/registry/credentials.ts'
import { authorizerOver, targetAt } from '../../support/fake-registry.ts'

const user = { username: 'u', password: 'hunter2', source: 'a file' }
const basic = `Basic ${btoa('u:hunter2')}`
const bearer = 'Bearer realm="https://auth.test/token",service="s"'
const issue = () => ({ body: '{"token":"t"}' })

test('an Authorizer shows nothing before it was asked', async t => {
  const { authorizer, sent } = authorizerOver(issue, async () => user)
  const target = targetAt('https://a.test/')
  t.is(await authorizer.authorization(target), undefined)
  t.is(authorizer.shown(target), undefined)
  t.deepEqual(sent, [])
})

test('what one origin has taught is not used for another', async t => {
  const { authorizer, challenge } = authorizerOver(issue, async () => user)
  challenge(targetAt('https://a.test/'), bearer)
  t.is(await authorizer.authorization(targetAt('https://a.test:444/')), undefined)
  t.is(await authorizer.authorization(targetAt('http://a.test/')), undefined)
})

test('Bearer is preferred to Basic, and what cannot be used is passed over', async t => {
  for (const header of [`Basic realm="x", ${bearer}`, `Negotiate, Digest realm="y", ${bearer}`]) {
    const { authorizer, challenge } = authorizerOver(issue, async () => user)
    const target = targetAt('https://a.test/')
    t.true(challenge(target, header))
    t.is(await authorizer.authorization(target), 'Bearer t')
  }
})

test('Bearer without realm is no challenge', async t => {
  const { authorizer, challenge } = authorizerOver(issue, async () => user)
  const target = targetAt('https://a.test/')
  t.false(challenge(target, 'Bearer service="s"'))
  t.true(challenge(target, 'Bearer service="s", Basic realm="x"'))
  t.is(await authorizer.authorization(target), basic)
})

const asksFor = test.macro({
  exec: async (t, address: string, name: string, expected: string) => {
    const asked: string[] = []
    const credentials: Credentials = async (host, { repository } = {}) => {
      asked.push(`${host} ${repository}`)
      return undefined
    }
    const { authorizer, challenge } = authorizerOver(issue, credentials)
    const target = { ...targetAt(`https://${address}/`, 'a/b'), address, name }
    challenge(target, 'Basic realm="x"')
    await authorizer.authorization(target)
    t.deepEqual(asked, [expected])
  },
  title: (_, address, name, expected) => `${name} at ${address} is shown the credentials for ${expected}`,
})

test(asksFor, 'a.test', 'a.test', 'a.test a/b')
test(asksFor, 'a.test:443', 'a.test:443', 'a.test:443 a/b')
test(asksFor, 'registry-1.docker.io', 'docker.io', 'docker.io a/b')
test(asksFor, 'registry-1.docker.io', 'index.docker.io', 'docker.io a/b')
test(asksFor, 'mirror.test', 'mirror.test', 'mirror.test a/b')
// A mirror that is wrongly called by the name of what it stands in for.
test(asksFor, 'mirror.test', 'docker.io', 'mirror.test a/b')
test(asksFor, 'evil.test', 'a.test', 'evil.test a/b')

test('an explicit registry token is shown to its registry as it is, and to no other', async t => {
  const credentials = credentialFor('a.test', { registryToken: 'given' })
  const { authorizer, challenge, sent } = authorizerOver(issue, credentials)
  const own = targetAt('https://a.test/', 'r')
  const mirror = { ...targetAt('https://mirror.test/', 'r'), name: 'a.test' }
  for (const target of [own, mirror]) challenge(target, bearer)
  t.is(await authorizer.authorization(own), 'Bearer given')
  t.deepEqual(sent, [])
  t.is(await authorizer.authorization(mirror), 'Bearer t')
  t.is(sent.length, 1)
  t.is(sent[0]?.headers?.authorization, undefined)
})

const tokenForBasic = test.macro<[Credential]>({
  exec: async (t, credential: Credential) => {
    const { authorizer, challenge } = authorizerOver(issue, async () => ({ ...credential, source: 'f.json' }))
    const target = targetAt('https://a.test/')
    challenge(target, 'Basic realm="x"')
    const error = await t.throwsAsync(authorizer.authorization(target), {
      code: 'UNAUTHENTICATED',
      message: /a\.test wants a user and a password, and f\.json has only a token/,
    })
    t.false(error?.message.includes('hunter2'))
  },
  title: (_, credential) =>
    `${Object.keys(credential)[0]} is of no use where Basic is asked for, and the error says so`,
})

test(tokenForBasic, { identityToken: 'hunter2' })
test(tokenForBasic, { registryToken: 'hunter2' })

test('parts of a registry have each their own credentials, by Basic and by Bearer', async t => {
  const credentials: Credentials = async (_, { repository } = {}) => ({
    username: String(repository),
    password: 'p',
  })
  const { authorizer, challenge, sent } = authorizerOver(issue, credentials)
  for (const [origin, header] of [
    ['https://basic.test/', 'Basic realm="x"'],
    ['https://bearer.test/', bearer],
  ] as const) {
    challenge(targetAt(origin), header)
    for (const repository of ['a', 'b', 'a'])
      await authorizer.authorization(targetAt(origin, repository)).then(found => {
        if (header.startsWith('Basic')) t.is(found, `Basic ${btoa(`${repository}:p`)}`)
      })
  }
  t.deepEqual(
    sent.map(({ body }) => new URLSearchParams(String(body)).get('username')),
    ['a', 'b'],
  )
})

test('a Basic password that was refused is not shown again for a minute, another is at once', async t => {
  let password = 'wrong'
  const { authorizer, challenge, clock } = authorizerOver(issue, async () => ({ username: 'u', password }))
  const target = targetAt('https://a.test/', 'one')
  challenge(target, 'Basic realm="x"')
  const wrong = await authorizer.authorization(target)
  challenge(target, 'Basic realm="x"', wrong)
  for (const repository of ['one', 'two'])
    t.is(await authorizer.authorization(targetAt('https://a.test/', repository)), undefined)
  password = 'right'
  t.is(await authorizer.authorization(target), `Basic ${btoa('u:right')}`)
  password = 'wrong'
  clock.now += 60_000
  t.is(await authorizer.authorization(targetAt('https://a.test/', 'two')), wrong)
})

test('a Basic password that was taken is shown on, whatever one repository refuses', async t => {
  const { authorizer, challenge } = authorizerOver(issue, async () => user)
  const target = targetAt('https://a.test/', 'one')
  challenge(target, 'Basic realm="x"')
  authorizer.accepted(target, basic)
  challenge(targetAt('https://a.test/', 'two'), 'Basic realm="x"', basic)
  t.is(await authorizer.authorization(targetAt('https://a.test/', 'two')), basic)
})

test('a password that the token server refused is not shown again for a minute', async t => {
  const { authorizer, challenge, sent, clock } = authorizerOver(
    () => ({ status: 401 }),
    async () => user,
  )
  challenge(targetAt('https://a.test/', 'one'), bearer)
  const ask = (repository: string) => authorizer.authorization(targetAt('https://a.test/', repository))
  await t.throwsAsync(ask('one'), { code: 'UNAUTHENTICATED', message: /refused the credentials of a file/ })
  t.is(sent.length, 2)
  t.is(await ask('two'), undefined, 'it gets a challenge of its own first')
  challenge(targetAt('https://a.test/', 'two'), bearer)
  const error = await t.throwsAsync(ask('two'), {
    code: 'UNAUTHENTICATED',
    message: /not shown again for 60 s/,
  })
  t.false(error?.message.includes('hunter2'))
  t.is(sent.length, 2)
  clock.now += 60_000
  await t.throwsAsync(ask('two'), { code: 'UNAUTHENTICATED' })
  t.is(sent.length, 4)
})

test('a password that is wrong is shown once, however many need it at once', async t => {
  const { authorizer, challenge, sent } = authorizerOver(
    () => ({ status: 401 }),
    async () => user,
  )
  challenge(targetAt('https://a.test/'), bearer)
  const asked = Array.from({ length: 8 }, (_, at) =>
    authorizer.authorization(targetAt('https://a.test/', `r${at}`)),
  )
  // Each gets a challenge of its own then, which it is told why it fails by.
  t.deepEqual(await Promise.all(asked), Array(8).fill(undefined))
  t.is(sent.map(({ method }) => method).join(' '), 'POST GET')
})

test('a registry token that cannot stand in a header is refused, and not told', async t => {
  const { authorizer, challenge } = authorizerOver(issue, async () => ({
    registryToken: 'hunter2\r\nx: y',
    source: 'f.json',
  }))
  const target = targetAt('https://a.test/')
  challenge(target, bearer)
  const error = await t.throwsAsync(authorizer.authorization(target), {
    code: 'UNAUTHENTICATED',
    message: /the registry token of f\.json has characters that no token has/,
  })
  t.false(error?.message.includes('hunter2'))
})

test('a registry may have a token server for each of its parts', async t => {
  const { authorizer, challenge, sent } = authorizerOver(({ url }) =>
    url.searchParams.get('scope')?.includes(url.pathname.slice(1)) ? issue() : { status: 403 },
  )
  const [one, two] = [targetAt('https://a.test/', 'one'), targetAt('https://a.test/', 'two')]
  challenge(one, 'Bearer realm="https://auth.test/one"')
  t.is(await authorizer.authorization(one), 'Bearer t')
  t.is(await authorizer.authorization(two), undefined, 'what the other is told does not count')
  t.true(challenge(two, 'Bearer realm="https://auth.test/two"'))
  t.is(await authorizer.authorization(two), 'Bearer t')
  t.is(await authorizer.authorization(one), 'Bearer t')
  t.deepEqual(
    sent.map(({ url }) => url.pathname),
    ['/one', '/one', '/two'],
  )
})

test('a token server is asked as it wanted to be asked the last time', async t => {
  const { authorizer, challenge, sent } = authorizerOver(
    ({ method }) => (method === 'POST' ? { status: 405 } : issue()),
    async () => user,
  )
  challenge(targetAt('https://a.test/'), bearer)
  for (const repository of ['one', 'two'])
    await authorizer.authorization(targetAt('https://a.test/', repository))
  t.is(sent.map(({ method }) => method).join(' '), 'POST GET GET')
})

test('many who need a credential at once have it looked for once', async t => {
  let lookups = 0
  const { authorizer, challenge } = authorizerOver(issue, async () => {
    lookups++
    return user
  })
  const target = targetAt('https://a.test/', 'r')
  challenge(target, 'Basic realm="x"')
  await Promise.all(Array.from({ length: 8 }, () => authorizer.authorization(target)))
  t.is(lookups, 1)
})

test('scopes of a push, of a mount, of a deletion and of the catalog are asked for as they are', async t => {
  const { authorizer, challenge, sent } = authorizerOver(issue)
  const origin = 'https://a.test/'
  challenge(targetAt(origin), bearer)
  const scopes = [
    ['repository:a:pull,push'],
    ['repository:a:pull,push', 'repository:base:pull'],
    ['repository:a:delete,pull'],
    ['registry:catalog:*'],
    [],
  ]
  for (const wanted of scopes) await authorizer.authorization({ ...targetAt(origin), scopes: wanted })
  t.deepEqual(
    sent.map(({ url }) => url.searchParams.getAll('scope')),
    scopes,
  )
})

test('one token for pull does not serve for push', async t => {
  let count = 0
  const { authorizer, challenge } = authorizerOver(() => ({ body: `{"token":"t${count++}"}` }))
  challenge(targetAt('https://a.test/'), bearer)
  t.is(await authorizer.authorization(targetAt('https://a.test/', 'r', 'pull')), 'Bearer t0')
  t.is(await authorizer.authorization(targetAt('https://a.test/', 'r', 'pull', 'push')), 'Bearer t1')
  t.is(await authorizer.authorization(targetAt('https://a.test/', 'r', 'push', 'pull')), 'Bearer t1')
  t.is(await authorizer.authorization(targetAt('https://a.test/', 'r', 'pull')), 'Bearer t0')
})

test('an abort while a credential is looked for ends the call with its reason', async t => {
  const { authorizer, challenge } = authorizerOver(
    issue,
    (_, options) =>
      new Promise((_resolve, reject) =>
        options?.signal?.addEventListener('abort', () => reject(options.signal?.reason)),
      ),
  )
  const target = targetAt('https://a.test/', 'r')
  for (const header of ['Basic realm="x"', bearer]) {
    challenge(target, header)
    const stop = new AbortController()
    const reason = new Error('enough')
    const asked = authorizer.authorization(target, { signal: stop.signal })
    stop.abort(reason)
    t.is(await t.throwsAsync(asked), reason)
  }
})
