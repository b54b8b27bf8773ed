import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import type { Credentials } from '../../../src/remotes/registry/credential.ts'
import { credentialFor, noCredentials } from '../../../src/remotes/registry/credentials.ts'
import { RegistryError } from '../../../src/remotes/registry/error.ts'
import { startRecorder, startRegistry } from '../../support/registry.ts'
import type { RegistryAuth } from '../../support/registry-auth.ts'
import { dropAfter, redirect, status } from '../../support/registry-faults.ts'
import { collect, quickResolver } from '../../support/resolver.ts'

const username = 'keeper'
const password = 'hunter2-password'
const identityToken = 'hunter2-identity'
const secrets = [
  'hunter2',
  Buffer.from(`${username}:${password}`).toString('base64'),
  'token-1-secret',
  'token-2-secret',
]
const bytes = Buffer.alloc(300_000, 'orlop')

/** A registry that lets in only some, and a resolver with credentials for it. */
async function locked(
  t: ExecutionContext,
  auth: RegistryAuth,
  credential: 'password' | 'identity' | 'wrong' | 'none' = 'password',
) {
  const registry = await startRegistry(t, { auth })
  const { manifest, layers } = registry.image('a/b', 'v1', bytes)
  const asked: string[] = []
  const given = {
    password: credentialFor(registry.host, { username, password }),
    wrong: credentialFor(registry.host, { username, password: 'hunter2-wrong' }),
    identity: credentialFor(registry.host, { identityToken }),
    none: noCredentials,
  }[credential]
  const credentials: Credentials = async (host, options) => {
    asked.push(host)
    return given(host, options)
  }
  let now = 1_000_000
  const { resolver } = quickResolver(t, { credentials, retry: { now: () => now } })
  const reference = `${registry.host}/a/b:v1`
  const pass = (ms: number) => {
    now += ms
  }
  return { registry, manifest, layer: layers[0] ?? manifest, resolver, reference, asked, pass }
}

/** Fails if an error lets a secret out, wherever it is looked for. */
function keepsSecrets(t: ExecutionContext, error: unknown): void {
  const text =
    inspect(error, { depth: 12, showHidden: true }) +
    JSON.stringify(error) +
    String(error instanceof Error && error.stack)
  for (const secret of secrets) t.false(text.includes(secret), `${secret} in ${text}`)
}

const lines = (requests: readonly { readonly method: string; readonly path: string }[]) =>
  requests.map(({ method, path }) => `${method} ${path.split('?')[0]?.replace(/sha256:.*/, 'DIGEST')}`)

test('Basic is answered once, and sent from then on', async t => {
  const { registry, resolver, reference, manifest, asked } = await locked(t, {
    type: 'basic',
    username,
    password,
  })
  t.deepEqual(await resolver.resolve(reference), manifest)
  await resolver.resolve(reference)
  t.deepEqual(
    registry.requests.map(({ headers }) => headers.authorization),
    [undefined, registry.tokens.basic, registry.tokens.basic],
  )
  t.deepEqual(asked, [registry.host])
})

test('Basic without credentials says where they are looked for', async t => {
  const { registry, resolver, reference } = await locked(t, { type: 'basic', username, password }, 'none')
  await t.throwsAsync(resolver.resolve(reference), {
    code: 'UNAUTHENTICATED',
    message: new RegExp(
      `^${reference}: .*no credentials for host ${registry.host} in auth.json.*orlop login`,
    ),
  })
  t.is(registry.requests.length, 1)
})

test('Basic with a wrong password is tried once', async t => {
  const { registry, resolver, reference } = await locked(t, { type: 'basic', username, password }, 'wrong')
  const error = await t.throwsAsync(resolver.resolve(reference), {
    code: 'UNAUTHENTICATED',
    message: /refused the credentials/,
  })
  t.true(error instanceof RegistryError)
  t.is(registry.requests.length, 2)
  keepsSecrets(t, error)
})

test('Bearer without credentials gets a token by GET, with service and scope', async t => {
  const { registry, resolver, reference, manifest } = await locked(t, { type: 'bearer' }, 'none')
  t.deepEqual(await resolver.resolve(reference), manifest)
  t.deepEqual(lines(registry.requests), [
    'HEAD /v2/a/b/manifests/v1',
    'GET /token',
    'HEAD /v2/a/b/manifests/v1',
  ])
  const { path, headers } = registry.requests[1] ?? { path: '', headers: {} }
  const query = new URL(path, 'http://x').searchParams
  t.is(query.get('service'), 'test, service')
  t.deepEqual(query.getAll('scope'), ['repository:a/b:pull'])
  t.is(headers.authorization, undefined)
})

test('Bearer with a password gets a token by POST', async t => {
  const { registry, resolver, reference } = await locked(t, { type: 'bearer', username, password })
  await resolver.resolve(reference)
  const [post] = registry.seen(/\/token/)
  t.is(post?.method, 'POST')
  const form = new URLSearchParams(post?.body)
  t.is(form.get('grant_type'), 'password')
  t.is(form.get('password'), password)
  t.is(form.get('scope'), 'repository:a/b:pull')
  t.is(post?.path, '/token')
})

for (const refusePost of [400, 401, 404, 405, 415, 501]) {
  test(`Bearer falls back to GET when POST is answered with ${refusePost}`, async t => {
    const { registry, resolver, reference, manifest } = await locked(t, {
      type: 'bearer',
      username,
      password,
      refusePost,
    })
    t.deepEqual(await resolver.resolve(reference), manifest)
    t.deepEqual(lines(registry.seen(/\/token/)), ['POST /token', 'GET /token'])
    t.is(registry.seen(/GET \/token/)[0]?.headers.authorization, registry.tokens.basic)
  })
}

test('Bearer with an identity token posts it as a refresh token', async t => {
  const { registry, resolver, reference, manifest } = await locked(
    t,
    { type: 'bearer', identityToken },
    'identity',
  )
  t.deepEqual(await resolver.resolve(reference), manifest)
  const form = new URLSearchParams(registry.seen(/\/token/)[0]?.body)
  t.is(form.get('grant_type'), 'refresh_token')
  t.is(form.get('refresh_token'), identityToken)
})

test('Bearer with a wrong password is UNAUTHENTICATED, and lets no secret out', async t => {
  const { registry, resolver, reference } = await locked(t, { type: 'bearer', username, password }, 'wrong')
  const error = await t.throwsAsync(resolver.resolve(reference), {
    code: 'UNAUTHENTICATED',
    message: /refused the credentials/,
  })
  keepsSecrets(t, error)
  t.deepEqual(lines(registry.seen(/\/token/)), ['POST /token', 'GET /token'])
})

test('a failed fetch of a token is not remembered', async t => {
  const { registry, resolver, reference, manifest } = await locked(t, { type: 'bearer' }, 'none')
  registry.next(/token/, status(403))
  await t.throwsAsync(resolver.resolve(reference), { code: 'UNAUTHENTICATED' })
  t.deepEqual(await resolver.resolve(reference), manifest)
})

test('a busy token server is asked again', async t => {
  const { registry, resolver, reference, manifest } = await locked(t, { type: 'bearer' }, 'none')
  registry.next(/token/, status(503), status(429))
  t.deepEqual(await resolver.resolve(reference), manifest)
})

for (const [title, body] of [
  ['without a token', '{}'],
  ['that is no JSON', 'hunter2 is not JSON'],
  ['whose token is not fit for a header', '{"token":"hunter2\\r\\nx-evil: 1"}'],
  ['that is too long', `{"token":"${'x'.repeat(1024 * 1024)}"}`],
] as const) {
  test(`an answer ${title} is refused, and not told`, async t => {
    const { registry, resolver, reference } = await locked(t, { type: 'bearer' }, 'none')
    registry.always(/token/, status(200, {}, body))
    const error = await t.throwsAsync(resolver.resolve(reference), {
      code: 'UNAUTHENTICATED',
      message: /without a token/,
    })
    keepsSecrets(t, error)
  })
}

test('a token is used for its scope until shortly before it expires', async t => {
  const { registry, resolver, reference, pass } = await locked(t, { type: 'bearer', expiresIn: 300 }, 'none')
  registry.image('c', 'v1')
  await resolver.resolve(reference)
  pass(280_000)
  await resolver.resolve(reference)
  t.is(registry.seen(/token/).length, 1)
  pass(15_000)
  await resolver.resolve(reference)
  t.is(registry.seen(/token/).length, 2)
  await resolver.resolve(`${registry.host}/c:v1`)
  t.is(registry.seen(/token/).length, 3)
})

test('a token that says nothing of its life lives a minute', async t => {
  const { registry, resolver, reference, pass } = await locked(t, { type: 'bearer' }, 'none')
  await resolver.resolve(reference)
  pass(45_000)
  await resolver.resolve(reference)
  t.is(registry.seen(/token/).length, 1)
  pass(10_000)
  await resolver.resolve(reference)
  t.is(registry.seen(/token/).length, 2)
})

test('many who want the same token share one fetch', async t => {
  const { registry, resolver, reference } = await locked(t, { type: 'bearer' }, 'none')
  await Promise.all(Array.from({ length: 8 }, () => resolver.resolve(reference)))
  t.is(registry.seen(/token/).length, 1)
})

test('a token that is revoked in the middle of a transfer is replaced, and the transfer goes on', async t => {
  const { registry, resolver, reference, layer } = await locked(t, { type: 'bearer' }, 'none')
  const fetcher = await resolver.fetcher(reference)
  registry.next(
    /blobs/,
    exchange => exchange.answer().status === 401 && status(401, exchange.answer().headers)(exchange),
    exchange => {
      dropAfter(100_000)(exchange)
      registry.tokens.revoke()
    },
  )
  t.deepEqual(await collect(fetcher.read(layer)), bytes)
  t.is(registry.seen(/token/).length, 2)
})

test('a wider scope that a challenge names is asked for', async t => {
  const { registry, resolver, reference } = await locked(t, { type: 'bearer' }, 'none')
  const wider = `Bearer realm="http://${registry.host}/token",scope="repository:a/b:pull repository:base:pull"`
  registry.next(/manifests/, status(401, { 'www-authenticate': wider }))
  await resolver.resolve(reference)
  t.deepEqual(new URL(registry.seen(/token/)[0]?.path ?? '', 'http://x').searchParams.getAll('scope'), [
    'repository:a/b:pull',
    'repository:base:pull',
  ])
})

test('a registry that always asks for more is not obeyed for ever', async t => {
  const { registry, resolver, reference } = await locked(t, { type: 'bearer' }, 'none')
  let count = 0
  registry.always(/manifests/, exchange =>
    status(401, {
      'www-authenticate': `Bearer realm="http://${registry.host}/token",scope="repository:r${count++}:pull"`,
    })(exchange),
  )
  await t.throwsAsync(resolver.resolve(reference), { code: 'UNAUTHENTICATED' })
  t.is(registry.seen(/manifests/).length, 3)
})

for (const realm of ['', '/token', 'token', 'ftp://a/token', 'file:///etc/passwd', 'javascript:x']) {
  test(`the realm ${JSON.stringify(realm)} is refused`, async t => {
    const { resolver, reference } = await locked(t, { type: 'bearer', realm }, 'none')
    await t.throwsAsync(resolver.resolve(reference), { code: 'UNAUTHENTICATED' })
  })
}

test('a challenge that cannot be met is an error that says so', async t => {
  const { registry, resolver, reference } = await locked(t, { type: 'bearer' }, 'none')
  registry.always(/manifests/, status(401, { 'www-authenticate': 'Negotiate' }))
  await t.throwsAsync(resolver.resolve(reference), { code: 'UNAUTHENTICATED' })
})

test('no secret goes along with a redirect, and a challenge behind it is not answered', async t => {
  const { registry, resolver, reference, layer } = await locked(t, { type: 'basic', username, password })
  const other = await startRecorder(t, ({ response }) =>
    response.writeHead(401, { 'www-authenticate': `Basic realm="give"`, 'content-length': '0' }).end(),
  )
  await resolver.resolve(reference)
  registry.always(/blobs/, redirect(`http://${other.host}/elsewhere`))
  const error = await t.throwsAsync(collect((await resolver.fetcher(reference)).read(layer)), {
    code: 'UNAUTHENTICATED',
  })
  t.is(registry.seen(/blobs/)[0]?.headers.authorization, registry.tokens.basic)
  t.is(other.requests.length, 1)
  t.is(other.requests[0]?.headers.authorization, undefined)
  keepsSecrets(t, [error, other.requests])
})

test('a Bearer challenge behind a redirect gets no token', async t => {
  const { registry, resolver, reference, layer } = await locked(t, { type: 'bearer', username, password })
  const other = await startRecorder(t, ({ response }) =>
    response
      .writeHead(401, {
        'www-authenticate': 'Bearer realm="http://127.0.0.1:1/token"',
        'content-length': '0',
      })
      .end(),
  )
  registry.always(/blobs/, exchange =>
    exchange.answer().status === 401
      ? status(401, exchange.answer().headers)(exchange)
      : redirect(`http://${other.host}/x`)(exchange),
  )
  await t.throwsAsync(collect((await resolver.fetcher(reference)).read(layer)), { code: 'UNAUTHENTICATED' })
  keepsSecrets(t, other.requests)
  t.is(registry.seen(/token/).length, 1)
})

test('the credentials of a POST for a token are not redirected', async t => {
  const { registry, resolver, reference } = await locked(t, { type: 'bearer', username, password })
  const other = await startRecorder(t, ({ response }) =>
    response.writeHead(404, { 'content-length': '0' }).end(),
  )
  registry.always(/token/, redirect(`http://${other.host}/token`, 308))
  await t.throwsAsync(resolver.resolve(reference), { code: 'UNAUTHENTICATED' })
  keepsSecrets(t, other.requests)
  t.deepEqual(lines(other.requests), ['GET /token'])
})

test('a registry gets none of the credentials of another', async t => {
  const mine = await startRegistry(t, { auth: { type: 'basic', username, password } })
  const other = await startRegistry(t, { auth: { type: 'basic', username, password } })
  const { resolver } = quickResolver(t, { credentials: credentialFor(mine.host, { username, password }) })
  mine.image('a', 'v1')
  await resolver.resolve(`${mine.host}/a:v1`)
  await t.throwsAsync(resolver.resolve(`${other.host}/a:v1`), { code: 'UNAUTHENTICATED' })
  keepsSecrets(t, other.requests)
})

test('a registry that sends a secret back in its error does not get it printed', async t => {
  const { registry, resolver, reference } = await locked(t, { type: 'basic', username, password })
  await resolver.resolve(reference)
  registry.always(/./, exchange => {
    const text = `you sent ${exchange.request.headers.authorization}`
    status(400, {}, JSON.stringify({ errors: [{ code: 'BAD', message: text }] }))(exchange)
  })
  const error = await t.throwsAsync(
    collect((await resolver.fetcher(reference)).read(registry.blob('a/b', 'x'))),
  )
  keepsSecrets(t, error)
})

test('a failing source of credentials fails the request', async t => {
  const registry = await startRegistry(t, { auth: { type: 'basic', username, password } })
  const failure = new Error('the keychain is locked')
  const { resolver } = quickResolver(t, { credentials: () => Promise.reject(failure) })
  t.is(await t.throwsAsync(resolver.resolve(`${registry.host}/a:v1`)), failure)
})
