import fs from 'node:fs/promises'
import path from 'node:path'
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { storedCredentials } from '../../../src/remotes/registry/credentials.ts'
import { parseLoginKey } from '../../../src/remotes/registry/login-key.ts'
import { removeAllLogins, removeLogin, saveLogin } from '../../../src/remotes/registry/login-store.ts'
import { installKeychain } from '../../support/keychain.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

const user = { username: 'u', password: 'p:ü' }
const auth = Buffer.from('u:p:ü').toString('base64')

const read = async (file: string): Promise<unknown> => JSON.parse(await fs.readFile(file, 'utf8'))

/** A file that does not exist yet, in a directory that does. */
async function newFile(t: ExecutionContext, content?: unknown): Promise<string> {
  const file = path.join(await temporaryDirectory(t), 'auth.json')
  if (content !== undefined)
    await fs.writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

test('saveLogin() makes a file for its owner alone, which is found again', async t => {
  const authFile = await newFile(t)
  t.is(await saveLogin(parseLoginKey('a.test'), user, { authFile }), authFile)
  t.deepEqual(await read(authFile), { auths: { 'a.test': { auth } } })
  t.is((await fs.stat(authFile)).mode & 0o777, 0o600)
  t.like(await storedCredentials({ authFile })('a.test'), user)
  t.deepEqual(await fs.readdir(path.dirname(authFile)), ['auth.json'])
})

test('saveLogin() keeps other entries, and fields that it does not know', async t => {
  const before = {
    auths: {
      'b.test': { auth: 'eDp5', note: 1 },
      'a.test': { auth: 'old', email: 'e', identitytoken: 'old' },
    },
    credHelpers: { 'c.test': 'x' },
    HttpHeaders: { 'X-A': 'b' },
    detachKeys: 'ctrl-e',
  }
  const authFile = await newFile(t, before)
  await fs.chmod(authFile, 0o644)
  await saveLogin(parseLoginKey('a.test'), user, { authFile })
  t.deepEqual(await read(authFile), {
    ...before,
    auths: { 'b.test': { auth: 'eDp5', note: 1 }, 'a.test': { email: 'e', auth } },
  })
  t.is((await fs.stat(authFile)).mode & 0o777, 0o600)
  t.regex(await fs.readFile(authFile, 'utf8'), /^\{\n\t"auths": \{\n\t\t"b\.test"/)
})

test('saveLogin() for a part of a registry leaves the registry as it is', async t => {
  const authFile = await newFile(t, { auths: { 'a.test': { auth: 'eDp5' } } })
  await saveLogin(parseLoginKey('a.test/team'), user, { authFile })
  const find = storedCredentials({ authFile })
  t.like(await find('a.test', { repository: 'team/app' }), user)
  t.like(await find('a.test', { repository: 'other' }), { username: 'x' })
})

test('saveLogin() keeps a key that is a trap of JavaScript', async t => {
  const authFile = await newFile(t, '{"auths":{"__proto__":{"auth":"eDp5"}},"__proto__":{"a":1}}')
  await saveLogin(parseLoginKey('a.test'), user, { authFile })
  t.is(
    (await fs.readFile(authFile, 'utf8')).replaceAll(/\s/g, ''),
    `{"auths":{"__proto__":{"auth":"eDp5"},"a.test":{"auth":"${auth}"}},"__proto__":{"a":1}}`,
  )
})

test('saveLogin() replaces what a symbolic link points at, and not the link', async t => {
  const directory = await temporaryDirectory(t)
  const [real, link, dangling] = ['real.json', 'link.json', 'dangling.json'].map(name =>
    path.join(directory, name),
  )
  t.truthy(real && link && dangling)
  if (!real || !link || !dangling) return
  await fs.writeFile(real, '{"a":1}')
  await fs.symlink('real.json', link)
  await fs.symlink('later.json', dangling)
  await saveLogin(parseLoginKey('a.test'), user, { authFile: link })
  await saveLogin(parseLoginKey('a.test'), user, { authFile: dangling })
  t.is(await fs.readlink(link), 'real.json')
  t.is(await fs.readlink(dangling), 'later.json')
  t.deepEqual(await read(real), { a: 1, auths: { 'a.test': { auth } } })
  t.deepEqual(await read(path.join(directory, 'later.json')), { auths: { 'a.test': { auth } } })
})

test('logins at the same time are all kept', async t => {
  const authFile = await newFile(t)
  const hosts = Array.from({ length: 12 }, (_, at) => `r${at}.test`)
  await Promise.all(hosts.map(host => saveLogin(parseLoginKey(host), user, { authFile })))
  t.deepEqual(Object.keys((await read(authFile)) as object), ['auths'])
  for (const host of hosts) t.like(await storedCredentials({ authFile })(host), user)
  await Promise.all(hosts.slice(1).map(host => removeLogin(parseLoginKey(host), { authFile })))
  t.deepEqual(await read(authFile), { auths: { 'r0.test': { auth } } })
})

const keepsFile = test.macro<[string, string]>({
  exec: async (t, _what, text) => {
    const authFile = await newFile(t, text)
    const error = await t.throwsAsync(saveLogin(parseLoginKey('a.test'), user, { authFile }), {
      code: 'FAILED_PRECONDITION',
    })
    t.true(error?.message.includes(authFile))
    t.false(inspect(error, { depth: 9 }).includes('hunter2'))
    t.is(await fs.readFile(authFile, 'utf8'), text)
    t.deepEqual(await fs.readdir(path.dirname(authFile)), ['auth.json'])
  },
  title: (_, what) => `saveLogin() leaves a file alone that is ${what}`,
})

test(keepsFile, 'not JSON', '{"auths":{"a.test":{"auth":"hunter2')
test(keepsFile, 'a list', '["hunter2"]')
test(keepsFile, 'of other auths', '{"auths":["hunter2"]}')

test('saveLogin() refuses a user whom Basic cannot name', async t => {
  const authFile = await newFile(t)
  for (const username of ['', 'a:b'])
    await t.throwsAsync(saveLogin(parseLoginKey('a.test'), { ...user, username }, { authFile }), {
      code: 'INVALID_ARGUMENT',
    })
})

// Which file.

const environment = async (t: ExecutionContext, more: NodeJS.ProcessEnv = {}) => {
  const home = await temporaryDirectory(t)
  await fs.mkdir(path.join(home, 'run'))
  return { home, env: { HOME: home, XDG_RUNTIME_DIR: path.join(home, 'run'), ...more } }
}

test('saveLogin() writes to the session of the user, in a directory for them alone', async t => {
  const { home, env } = await environment(t)
  t.is(await saveLogin(parseLoginKey('a.test'), user, { env }), `${home}/run/containers/auth.json`)
  t.is((await fs.stat(`${home}/run/containers`)).mode & 0o777, 0o700)
})

test('saveLogin() does not make a runtime directory that is missing', async t => {
  const { home, env } = await environment(t)
  const gone = { ...env, XDG_RUNTIME_DIR: path.join(home, 'gone') }
  await t.throwsAsync(saveLogin(parseLoginKey('a.test'), user, { env: gone }), { code: 'NOT_FOUND' })
  t.deepEqual(await fs.readdir(home), ['run'])
})

test('saveLogin() writes to REGISTRY_AUTH_FILE, before DOCKER_CONFIG, before the session', async t => {
  const { home, env } = await environment(t)
  const docker = { ...env, DOCKER_CONFIG: `${home}/docker` }
  const given = { ...docker, REGISTRY_AUTH_FILE: `${home}/x/y.json` }
  t.is(await saveLogin(parseLoginKey('a.test'), user, { env: docker }), `${home}/docker/config.json`)
  t.is(await saveLogin(parseLoginKey('a.test'), user, { env: given }), `${home}/x/y.json`)
})

test("Docker's file gets Docker Hub by its old address, and no part of a registry", async t => {
  const compatAuthFile = await newFile(t)
  await saveLogin(parseLoginKey('docker.io'), user, { compatAuthFile })
  t.deepEqual(await read(compatAuthFile), { auths: { 'https://index.docker.io/v1/': { auth } } })
  await t.throwsAsync(saveLogin(parseLoginKey('a.test/team'), user, { compatAuthFile }), {
    code: 'INVALID_ARGUMENT',
    message: /keeps whole registries only; log in to a\.test/,
  })
  const both = { compatAuthFile, authFile: compatAuthFile }
  await t.throwsAsync(saveLogin(parseLoginKey('a.test'), user, both), { code: 'INVALID_ARGUMENT' })
})

// Helpers.

test('a login goes to the helper that the file names for the host, and comes from there', async t => {
  const { env, kept } = await installKeychain(t, 'one')
  const document = { auths: {}, credHelpers: { 'a.test': 'one' } }
  const authFile = await newFile(t, document)
  const options = { authFile, env }
  t.is(await saveLogin(parseLoginKey('a.test'), user, options), 'docker-credential-one')
  t.deepEqual(await kept(), { 'a.test': 'u:p:ü' })
  t.deepEqual(await read(authFile), document)
  t.like(await storedCredentials(options)('a.test'), user)
  await t.throwsAsync(saveLogin(parseLoginKey('a.test/team'), user, options), {
    message: /docker-credential-one keeps whole registries only/,
  })
  t.deepEqual(await removeLogin(parseLoginKey('a.test'), options), ['docker-credential-one'])
  t.deepEqual(await kept(), {})
  t.deepEqual(await read(authFile), document)
})

test('a login goes to the credsStore, Docker Hub by its old address', async t => {
  const { env, kept } = await installKeychain(t, 'store')
  const compatAuthFile = await newFile(t, { credsStore: 'store' })
  await saveLogin(parseLoginKey('docker.io'), user, { compatAuthFile, env })
  t.deepEqual(await kept(), { 'https://index.docker.io/v1/': 'u:p:ü' })
  t.deepEqual(await read(compatAuthFile), { credsStore: 'store' })
})

test('a login is not kept in the clear where a helper is wanted that is missing', async t => {
  const authFile = await newFile(t, { credsStore: 'missing' })
  await t.throwsAsync(saveLogin(parseLoginKey('a.test'), user, { authFile }), { code: 'NOT_FOUND' })
  t.deepEqual(await read(authFile), { credsStore: 'missing' })
})

test('a helper that refuses fails the login, and the password that it repeats is not told', async t => {
  const { env } = await installKeychain(t, 'one')
  const authFile = await newFile(t, { credHelpers: { 'refuse.test': 'one' } })
  const login = saveLogin(
    parseLoginKey('refuse.test'),
    { username: 'u', password: 'hunter2"x' },
    { authFile, env },
  )
  const error = await t.throwsAsync(login, {
    code: 'UNAUTHENTICATED',
    message: /docker-credential-one .*refused/,
  })
  t.false(inspect(error, { depth: 9 }).includes('hunter2'))
})

test('credential-helpers: a login goes to the first that takes it', async t => {
  const { env, kept } = await installKeychain(t, 'one')
  const authFile = await newFile(t)
  const options = { authFile, env, credentialHelpers: ['missing', 'one', 'containers-auth.json'] }
  t.is(await saveLogin(parseLoginKey('a.test'), user, options), 'docker-credential-one')
  t.is(await saveLogin(parseLoginKey('a.test/team'), user, options), authFile)
  t.deepEqual(await kept(), { 'a.test': 'u:p:ü' })
  t.deepEqual(await read(authFile), { auths: { 'a.test/team': { auth } } })
  const none = { ...options, credentialHelpers: [] }
  await t.throwsAsync(saveLogin(parseLoginKey('a.test'), user, none), { message: /no place for a login/ })
})

// Logging out.

const removes = test.macro<[string, readonly string[], readonly string[]]>({
  exec: async (t, registry, before, after) => {
    const entries = before.map(key => [key, { auth }] as const)
    const authFile = await newFile(t, { auths: Object.fromEntries(entries), other: 1 })
    t.deepEqual(await removeLogin(parseLoginKey(registry), { authFile }), [authFile])
    const left = Object.fromEntries(entries.filter(([key]) => after.includes(key)))
    t.deepEqual(await read(authFile), { auths: left, other: 1 })
  },
  title: (_, registry, before, after) =>
    `removeLogin() of ${registry} leaves of ${before.join(' ')}: ${after.join(' ') || 'none'}`,
})

test(
  removes,
  'a.test',
  ['a.test', 'b.test', 'a.test/team', 'a.test:5000'],
  ['b.test', 'a.test/team', 'a.test:5000'],
)
test(removes, 'a.test/team', ['a.test', 'a.test/team', 'a.test/team/x'], ['a.test', 'a.test/team/x'])
test(removes, 'a.test', ['https://a.test/v1/', 'http://a.test'], [])
test(removes, 'docker.io', ['https://index.docker.io/v1/', 'docker.io', 'docker.io/team'], ['docker.io/team'])
test(removes, 'index.docker.io', ['docker.io'], [])

test('removeLogin() of what is not there says where it looked, and makes nothing', async t => {
  const authFile = await newFile(t)
  await t.throwsAsync(removeLogin(parseLoginKey('a.test'), { authFile }), {
    code: 'NOT_FOUND',
    message: `not logged in to a.test (looked in ${authFile})`,
  })
  t.deepEqual(await fs.readdir(path.dirname(authFile)), [])
})

test('removeAllLogins() empties the file and its helpers, and keeps which helper serves whom', async t => {
  const one = await installKeychain(t, 'one')
  const two = await installKeychain(t, 'two')
  const env = { PATH: `${one.env.PATH}${path.delimiter}${two.env.PATH}` }
  const settings = { credHelpers: { 'a.test': 'one' }, credsStore: 'two', other: 1 }
  const authFile = await newFile(t, { ...settings, auths: { 'x.test': { auth }, 'y.test/z': { auth } } })
  for (const host of ['a.test', 'b.test', 'docker.io'])
    await saveLogin(parseLoginKey(host), user, { authFile, env })
  t.deepEqual(Object.keys(await two.kept()).toSorted(), ['b.test', 'https://index.docker.io/v1/'])
  t.deepEqual(await removeAllLogins({ authFile, env }), [
    authFile,
    'docker-credential-one',
    'docker-credential-two',
  ])
  t.deepEqual([await one.kept(), await two.kept()], [{}, {}])
  t.deepEqual(await read(authFile), { ...settings, auths: {} })
  t.deepEqual(await removeAllLogins({ authFile, env }), [])
})

test('removeAllLogins() gives every helper its turn before it fails for one', async t => {
  const { env, kept } = await installKeychain(t, 'one')
  const authFile = await newFile(t, { credHelpers: { 'b.test': 'missing', 'a.test': 'one' } })
  await saveLogin(parseLoginKey('a.test'), user, { authFile, env })
  await t.throwsAsync(removeAllLogins({ authFile, env }), {
    code: 'NOT_FOUND',
    message: /docker-credential-missing/,
  })
  t.deepEqual(await kept(), {})
})
