import fs from 'node:fs/promises'
import path from 'node:path'
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { credentialFiles } from '../../../src/remotes/registry/credential-files.ts'
import { storedCredentials } from '../../../src/remotes/registry/credentials.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const user = (name: string) => ({ auth: base64(`${name}:p`) })

/** Paths below a home; a string is the text of a file, an object its JSON. */
type Files = Readonly<Record<string, string | object>>

/** A home with files, and an environment that points into it. */
async function home(
  t: ExecutionContext,
  files: Files,
): Promise<{ directory: string; env: NodeJS.ProcessEnv }> {
  const directory = await temporaryDirectory(t)
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(directory, name)
    await fs.mkdir(path.dirname(file), { recursive: true })
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    await fs.writeFile(file, text, { mode: text.startsWith('#!') ? 0o755 : 0o600 })
  }
  const PATH = `${path.join(directory, 'bin')}${path.delimiter}${process.env.PATH}`
  return { directory, env: { HOME: directory, XDG_RUNTIME_DIR: path.join(directory, 'run'), PATH } }
}

const nameOf = (found: object | undefined): string | undefined => {
  if (found === undefined) return undefined
  if ('username' in found) return String(found.username)
  return Object.entries(found)
    .filter(([key]) => key !== 'source')
    .flat()
    .join('=')
}

const runtime = 'run/containers/auth.json'
const stays = '.config/containers/auth.json'
const docker = '.docker/config.json'
const old = '.dockercfg'

const searches = test.macro<[string, Files, string, string | undefined, NodeJS.ProcessEnv?]>({
  exec: async (t, _what, files, asked, expected, more = {}) => {
    const { directory, env } = await home(t, files)
    const resolved = Object.entries(more).map(([key, value]) => [key, value?.replace('~', directory)])
    const [host = '', ...rest] = asked.split('/')
    const repository = rest.length > 0 ? rest.join('/') : undefined
    const find = storedCredentials({ env: { ...env, ...Object.fromEntries(resolved) } })
    t.is(nameOf(await find(host, { repository })), expected)
  },
  title: (_, what) => `storedCredentials(): ${what}`,
})

const auths = (entries: object) => ({ auths: entries })
const at = (name: string) => auths({ 'a.test': user(name) })

// Which file.
test(searches, 'nothing anywhere', {}, 'a.test', undefined)
test(
  searches,
  'the runtime directory comes first',
  { [runtime]: at('one'), [stays]: at('two'), [docker]: at('three'), [old]: { 'a.test': user('four') } },
  'a.test',
  'one',
)
test(
  searches,
  'then the configuration',
  { [runtime]: auths({}), [stays]: at('two'), [docker]: at('three'), [old]: { 'a.test': user('four') } },
  'a.test',
  'two',
)
test(
  searches,
  "then Docker's",
  { [docker]: at('three'), [old]: { 'a.test': user('four') } },
  'a.test',
  'three',
)
test(searches, 'then .dockercfg', { [old]: { 'a.test': user('four') } }, 'a.test', 'four')
test(searches, '.dockercfg has no auths', { [old]: at('four') }, 'a.test', undefined)
test(
  searches,
  'XDG_CONFIG_HOME moves the configuration',
  { 'x/containers/auth.json': at('x'), [stays]: at('two') },
  'a.test',
  'x',
  { XDG_CONFIG_HOME: '~/x' },
)
test(
  searches,
  "DOCKER_CONFIG moves Docker's",
  { 'x/config.json': at('x'), [docker]: at('three') },
  'a.test',
  'x',
  { DOCKER_CONFIG: '~/x' },
)
test(searches, 'DOCKER_CONFIG=/dev/null is none', {}, 'a.test', undefined, { DOCKER_CONFIG: '/dev/null' })
test(
  searches,
  'REGISTRY_AUTH_FILE is the only one',
  { 'x.json': auths({}), [runtime]: at('one') },
  'a.test',
  undefined,
  { REGISTRY_AUTH_FILE: '~/x.json' },
)
test(searches, 'REGISTRY_AUTH_FILE is read', { 'x.json': at('x'), [runtime]: at('one') }, 'a.test', 'x', {
  REGISTRY_AUTH_FILE: '~/x.json',
})
test(searches, 'an empty REGISTRY_AUTH_FILE is none', { [runtime]: at('one') }, 'a.test', 'one', {
  REGISTRY_AUTH_FILE: '',
})
test(searches, 'DOCKER_AUTH_CONFIG comes before the files', { [runtime]: at('one') }, 'a.test', 'env', {
  DOCKER_AUTH_CONFIG: JSON.stringify(at('env')),
})
test(searches, 'DOCKER_AUTH_CONFIG need not have it', { [runtime]: at('one') }, 'a.test', 'one', {
  DOCKER_AUTH_CONFIG: '{}',
})
test(searches, 'REGISTRY_AUTH_FILE excludes DOCKER_AUTH_CONFIG', { 'x.json': at('x') }, 'a.test', 'x', {
  REGISTRY_AUTH_FILE: '~/x.json',
  DOCKER_AUTH_CONFIG: JSON.stringify(at('env')),
})
test(
  searches,
  'an empty file has nothing',
  { [runtime]: '', [stays]: ' \n', [docker]: at('three') },
  'a.test',
  'three',
)

// Which key: each file is searched for all of them before the next.
const levels = auths({ 'a.test': user('host'), 'a.test/team': user('team'), 'a.test/team/app': user('app') })
test(
  searches,
  'the longest key counts: the repository itself',
  { [runtime]: levels },
  'a.test/team/app',
  'app',
)
test(searches, 'the longest key counts: what it lies in', { [runtime]: levels }, 'a.test/team/other', 'team')
test(
  searches,
  'the longest key counts: below the repository',
  { [runtime]: levels },
  'a.test/team/app/x/y',
  'app',
)
test(searches, 'the longest key counts: the host', { [runtime]: levels }, 'a.test/elsewhere', 'host')
test(searches, 'a key is no prefix of letters', { [runtime]: levels }, 'a.test/teamwork', 'host')
test(searches, 'without a repository the host counts', { [runtime]: levels }, 'a.test', 'host')
test(
  searches,
  'a key of a repository says nothing of the host',
  { [runtime]: auths({ 'a.test/team': user('x') }) },
  'a.test',
  undefined,
)
test(
  searches,
  'a less exact key of an earlier file counts before',
  { [runtime]: at('one'), [stays]: levels },
  'a.test/team/app',
  'one',
)
test(
  searches,
  'an empty entry ends the search of its file alone',
  { [runtime]: auths({ 'a.test/team': {}, 'a.test': user('one') }), [stays]: at('two') },
  'a.test/team/app',
  'two',
)
test(
  searches,
  'Docker Hub by its name',
  { [runtime]: auths({ 'docker.io': user('hub') }) },
  'docker.io/library/busybox',
  'hub',
)
test(
  searches,
  'Docker Hub by its old address',
  { [docker]: auths({ 'https://index.docker.io/v1/': user('hub') }) },
  'docker.io/library/busybox',
  'hub',
)
test(
  searches,
  'Docker Hub by its other names',
  { [docker]: auths({ 'registry-1.docker.io': user('hub') }) },
  'docker.io/library/busybox',
  'hub',
)
test(
  searches,
  'a part of Docker Hub',
  { [runtime]: auths({ 'docker.io/team': user('team'), 'docker.io': user('hub') }) },
  'docker.io/team/app',
  'team',
)
test(
  searches,
  'a scheme and a path are stripped',
  { [docker]: auths({ 'https://a.test/v2/': user('x') }) },
  'a.test/app',
  'x',
)
test(searches, 'ports count', { [runtime]: auths({ 'a.test:5000': user('x') }) }, 'a.test/app', undefined)
test(
  searches,
  '.dockercfg has keys of whole registries only',
  { [old]: { 'a.test/team': user('x'), 'https://a.test/v1/': user('host') } },
  'a.test/team/app',
  'host',
)
test(
  searches,
  'keys that objects have by themselves are none',
  { [runtime]: '{"auths":{}}' },
  'constructor/prototype',
  undefined,
)

// What an entry holds.
test(
  searches,
  'a registry token before the rest',
  { [runtime]: auths({ 'a.test': { ...user('u'), identitytoken: 'i', registrytoken: 'r' } }) },
  'a.test',
  'registryToken=r',
)
test(
  searches,
  'an identity token before a password',
  { [runtime]: auths({ 'a.test': { identitytoken: 'i' } }) },
  'a.test',
  'identityToken=i',
)
test(
  searches,
  'an identity token beside an auth that is none',
  { [runtime]: auths({ 'a.test': { auth: '!', identitytoken: 'i' } }) },
  'a.test',
  'identityToken=i',
)
test(
  searches,
  'user and password in the clear',
  { [runtime]: auths({ 'a.test': { username: 'u', password: 'p' } }) },
  'a.test',
  'u',
)
test(
  searches,
  'a user without a password',
  { [runtime]: auths({ 'a.test': { username: 'u' } }) },
  'a.test',
  undefined,
)
test(
  searches,
  'nobody: both empty',
  { [runtime]: auths({ 'a.test': { auth: base64(':') } }) },
  'a.test',
  undefined,
)
test(
  searches,
  'base64 without padding',
  { [runtime]: auths({ 'a.test': { auth: base64('us:p').replace(/=+$/, '') } }) },
  'a.test',
  'us',
)
test(
  searches,
  'base64 in two lines',
  { [runtime]: auths({ 'a.test': { auth: 'dXNl\ncjpw' } }) },
  'a.test',
  'user',
)
test(
  searches,
  'an entry that is no object',
  { [runtime]: auths({ 'a.test': 'x' }), [stays]: at('two') },
  'a.test',
  'two',
)

// Helpers.
const says = (what: string): string =>
  `#!/bin/sh\nread server; echo "{\\"Username\\":\\"${what} $server\\",\\"Secret\\":\\"s\\"}"\n`
const knows = (server: string): string =>
  `#!/bin/sh\nread server; [ "$server" = "${server}" ] || { echo "credentials not found in native keychain"; exit 1; }; echo '{"Username":"'$server'","Secret":"s"}'\n`
const bin = (name: string, script: string): Files => ({ [`bin/docker-credential-${name}`]: script })
test(
  searches,
  'the helper of a host comes before auths',
  { [runtime]: { ...at('one'), credHelpers: { 'a.test': 'x' } }, ...bin('x', says('helper')) },
  'a.test/team',
  'helper a.test',
)
test(
  searches,
  'a helper that knows nothing lets auths speak',
  { [runtime]: { ...at('one'), credHelpers: { 'a.test': 'x' } }, ...bin('x', knows('b.test')) },
  'a.test',
  'one',
)
test(
  searches,
  'the helper of another host is not asked',
  { [runtime]: { ...at('one'), credHelpers: { 'b.test': 'missing' } } },
  'a.test',
  'one',
)
test(
  searches,
  'an empty helper is none',
  { [runtime]: { ...at('one'), credHelpers: { 'a.test': '' }, credsStore: '' } },
  'a.test',
  'one',
)
test(
  searches,
  'credsStore is asked for every host',
  { [docker]: { ...at('three'), credsStore: 'x' }, ...bin('x', says('store')) },
  'a.test',
  'store a.test',
)
test(
  searches,
  'a credsStore that is not installed is passed over',
  { [docker]: { ...at('three'), credsStore: 'missing' } },
  'a.test',
  'three',
)
test(
  searches,
  'a helper knows Docker Hub by its old address',
  { [docker]: { credsStore: 'x' }, ...bin('x', knows('https://index.docker.io/v1/')) },
  'docker.io/library/x',
  'https://index.docker.io/v1/',
)
test(
  searches,
  'or by its name',
  { [docker]: { credsStore: 'x' }, ...bin('x', knows('docker.io')) },
  'docker.io/library/x',
  'docker.io',
)

const fails = test.macro<[string, Files, RegExp]>({
  exec: async (t, _what, files, said) => {
    const { env } = await home(t, files)
    const error = await t.throwsAsync(storedCredentials({ env })('a.test'), {
      name: 'OrlopError',
      message: said,
    })
    t.false(inspect(error, { depth: 9, showHidden: true }).includes('hunter2'))
  },
  title: (_, what) => `storedCredentials() fails for ${what}, and quotes none of it`,
})

test(
  fails,
  'a file that is not JSON',
  { [runtime]: '{"auths":{"a.test":{"auth":"hunter2', [stays]: at('two') },
  /auth\.json: not the JSON object/,
)
test(fails, 'a file that is a list', { [docker]: '["hunter2"]' }, /config\.json: not the JSON object/)
test(
  fails,
  'auths that are none',
  { [docker]: '{"auths":"hunter2"}' },
  /config\.json: "auths" is not an object/,
)
test(
  fails,
  'credHelpers that are none',
  { [docker]: '{"credHelpers":["hunter2"]}' },
  /"credHelpers" is not an object/,
)
test(
  fails,
  'a file that is too long',
  { [runtime]: `{"x":"${'x'.repeat(4 * 1024 * 1024)}"}` },
  /auth\.json: longer than the 4194304 bytes/,
)
test(
  fails,
  'an auth that is not base64',
  { [runtime]: auths({ 'a.test': { auth: 'hunter2!' } }) },
  /auths of a\.test: "auth" is not base64 of user:password; log in again/,
)
test(
  fails,
  'an auth of the wrong length',
  { [runtime]: auths({ 'a.test': { auth: 'aHVudGVyM' } }) },
  /is not base64/,
)
test(
  fails,
  'an auth without a colon',
  { [runtime]: auths({ 'a.test': { auth: base64('hunter2') } }) },
  /is not the base64 of user:password/,
)
test(
  fails,
  'an auth without a user',
  { [runtime]: auths({ 'a.test': { auth: base64(':hunter2') } }) },
  /is not the base64/,
)
test(
  fails,
  'a helper that is a path',
  { [runtime]: { credHelpers: { 'a.test': '../../bin/evil' } } },
  /not a plain name/,
)
test(
  fails,
  'a helper of a host that is missing',
  { [runtime]: { credHelpers: { 'a.test': 'missing' }, ...at('one') } },
  /docker-credential-missing is not on PATH/,
)
test(
  fails,
  'a helper that is no name',
  { [runtime]: { credHelpers: { 'a.test': 17 } } },
  /credHelpers of a\.test: not a name/,
)
test(
  fails,
  'a helper that fails',
  { [docker]: { credsStore: 'x' }, ...bin('x', '#!/bin/sh\necho locked; exit 1\n') },
  /docker-credential-x for a\.test failed: locked/,
)

const orders = test.macro<[string, readonly string[], Files, string | RegExp | undefined]>({
  exec: async (t, _what, credentialHelpers, files, expected) => {
    const { env } = await home(t, files)
    const asked = storedCredentials({ env, credentialHelpers })('a.test', { repository: 'team/app' })
    if (expected instanceof RegExp) await t.throwsAsync(asked, { message: expected })
    else t.is(nameOf(await asked), expected)
  },
  title: (_, what) => `credential-helpers: ${what}`,
})

const both: Files = {
  [runtime]: at('file'),
  ...bin('x', says('x')),
  ...bin('none', knows('b.test')),
  ...bin('bad', '#!/bin/sh\necho locked; exit 1\n'),
}
test(orders, 'the files alone', ['containers-auth.json'], both, 'file')
test(orders, 'a helper before the files', ['x', 'containers-auth.json'], both, 'x a.test')
test(orders, 'the files before a helper', ['containers-auth.json', 'x'], both, 'file')
test(orders, 'a helper that knows nothing', ['none', 'containers-auth.json'], both, 'file')
test(orders, 'a helper that fails, and another source', ['bad', 'containers-auth.json'], both, 'file')
test(
  orders,
  'a helper that fails, and nothing else',
  ['bad', 'none'],
  both,
  /docker-credential-bad for a\.test failed: locked/,
)
test(
  orders,
  'a helper that is missing, and nothing else',
  ['missing'],
  both,
  /docker-credential-missing is not on PATH/,
)
test(orders, 'helpers alone leave the files unread', ['none'], { ...both, [runtime]: 'broken' }, undefined)
test(orders, 'none at all', [], both, undefined)

test('storedCredentials() says where it found what it found', async t => {
  const { directory, env } = await home(t, {
    [runtime]: { ...auths({ 'a.test/team': user('one') }), credHelpers: { 'b.test': 'x' } },
    ...bin('x', says('x')),
  })
  const find = storedCredentials({ env })
  t.is(
    (await find('a.test', { repository: 'team/app' }))?.source,
    `${directory}/${runtime}: auths of a.test/team`,
  )
  t.is((await find('b.test'))?.source, 'docker-credential-x for b.test')
})

test('storedCredentials() sees a login that comes later', async t => {
  const { directory, env } = await home(t, { [runtime]: auths({}) })
  const find = storedCredentials({ env })
  t.is(await find('a.test'), undefined)
  await fs.writeFile(path.join(directory, runtime), JSON.stringify(at('late')))
  t.is(nameOf(await find('a.test')), 'late')
})

test('storedCredentials() rejects with the reason of a signal that fired', async t => {
  const { env } = await home(t, { [runtime]: at('one') })
  const reason = new Error('enough')
  const asked = storedCredentials({ env })('a.test', { signal: AbortSignal.abort(reason) })
  t.is(await t.throwsAsync(asked), reason)
})

test('credentialFiles() without XDG_RUNTIME_DIR looks below /run, for this user', t => {
  const [first] = credentialFiles({ env: { HOME: '/h' } })
  const linux = `/run/containers/${process.getuid?.()}/auth.json`
  t.is(first?.name, process.platform === 'linux' ? linux : '/h/.config/containers/auth.json')
})
