import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { installKeychain } from '../support/keychain.ts'
import { startRecorder, startRegistry } from '../support/registry.ts'
import { type Outcome, orlop } from '../support/run.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const username = 'keeper'
const password = 'open:sesame'

/** A registry that wants a password, a home of its own, and `orlop` there. */
async function setting(t: ExecutionContext) {
  const registry = await startRegistry(t, { auth: { type: 'basic', username, password } })
  const home = await temporaryDirectory(t)
  const authFile = path.join(home, 'run', 'containers', 'auth.json')
  await fs.mkdir(path.join(home, 'run'))
  const env = { HOME: home, XDG_RUNTIME_DIR: path.join(home, 'run'), DOCKER_CONFIG: undefined }
  const run = (args: string, input?: string, more: object = {}): Promise<Outcome> =>
    orlop(args.split(' '), { env: { ...env, ...more }, ...(input !== undefined && { input }) })
  const kept = async (file = authFile): Promise<unknown> => JSON.parse(await fs.readFile(file, 'utf8'))
  return { registry, host: registry.host, home, authFile, run, kept }
}

const entry = { auth: Buffer.from(`${username}:${password}`).toString('base64') }

test('orlop login keeps a password that the registry takes, for pulls to use, and logout forgets it', async t => {
  const { registry, host, home, authFile, run, kept } = await setting(t)
  registry.image('a/b', 'v1', 'layer')
  const login = await run(`login -u ${username} --password-stdin ${host}`, `${password}\n`)
  t.is(login.code, 0, login.stderr)
  t.is(login.stdout, `logged in to ${host} as ${username}\n`)
  t.is(login.stderr, `kept in ${authFile}\n`)
  t.deepEqual(await kept(), { auths: { [host]: entry } })
  t.is((await fs.stat(authFile)).mode & 0o777, 0o600)
  t.is((await fs.stat(path.dirname(authFile))).mode & 0o777, 0o700)
  const pull = `--root ${home}/root images pull -q --all-platforms ${host}/a/b:v1`
  t.is((await run(pull)).code, 0)
  t.is((await run(`login --get-login ${host}`)).stdout, `${username}\n`)
  const logout = await run(`--json logout ${host}`)
  t.deepEqual(JSON.parse(logout.stdout), { registry: host, removed: [authFile] })
  t.deepEqual(await kept(), { auths: {} })
  t.is((await run(`logout ${host}`)).code, 3)
  t.is((await run(`login --get-login ${host}`)).code, 3)
  t.is((await run(pull)).code, 6)
})

test('orlop login keeps nothing that the registry refuses', async t => {
  const { host, authFile, run } = await setting(t)
  const { code, stdout, stderr } = await run(`login -u ${username} --password-stdin ${host}`, 'hunter2')
  t.is(code, 6)
  t.is(stdout, '')
  t.regex(stderr, /refused/)
  t.false(stderr.includes('hunter2'))
  await t.throwsAsync(fs.stat(authFile), { code: 'ENOENT' })
})

test('orlop registry login is the same, and tells as JSON where it keeps a login', async t => {
  const { host, home, run, kept } = await setting(t)
  const file = path.join(home, 'mine.json')
  const args = `--json registry login -u ${username} --password-stdin --authfile ${file} ${host}`
  t.deepEqual(JSON.parse((await run(args, password)).stdout), { registry: host, username, source: file })
  t.deepEqual(await kept(file), { auths: { [host]: entry } })
  t.is((await run(`registry logout --authfile ${file} --all`)).code, 0)
  t.deepEqual(await kept(file), { auths: {} })
})

test('orlop login finds that one is logged in already, and asks the registry', async t => {
  const { registry, host, run } = await setting(t)
  await run(`login -u ${username} --password-stdin ${host}`, password)
  const before = registry.requests.length
  const again = await run(`login ${host}`)
  t.is(again.code, 0)
  t.is(again.stdout, `logged in to ${host} as ${username}\n`)
  t.true(registry.requests.length > before)
})

test('orlop login writes what Docker reads where DOCKER_CONFIG says so', async t => {
  const { host, home, run, kept } = await setting(t)
  const more = { DOCKER_CONFIG: path.join(home, 'docker') }
  const file = path.join(home, 'docker', 'config.json')
  t.is((await run(`login -u ${username} --password-stdin ${host}`, password, more)).code, 0)
  t.deepEqual(await kept(file), { auths: { [host]: entry } })
})

test('orlop login asks registries.conf which registry is meant, and which helper keeps the login', async t => {
  const { registry, host, home, run } = await setting(t)
  registry.image('a/b', 'v1', 'layer')
  const { env, kept } = await installKeychain(t, 'one')
  const conf = path.join(home, 'registries.conf')
  await fs.writeFile(
    conf,
    `unqualified-search-registries = ["${host}"]\ncredential-helpers = ["one", "containers-auth.json"]\n`,
  )
  const more = { ...env, CONTAINERS_REGISTRIES_CONF: conf }
  const login = await run(`login -u ${username} --password-stdin`, password, more)
  t.is(login.stderr, 'kept in docker-credential-one\n')
  t.is(login.stdout, `logged in to ${host} as ${username}\n`)
  t.deepEqual(await kept(), { [host]: `${username}:${password}` })
  const pull = `--root ${home}/root images pull -q --all-platforms ${host}/a/b:v1`
  t.is((await run(pull, undefined, more)).code, 0)
  t.is((await run(`logout ${host}`, undefined, more)).stderr, 'removed from docker-credential-one\n')
  t.deepEqual(await kept(), {})
})

test('orlop logout warns when another file still has an entry', async t => {
  const { host, home, run } = await setting(t)
  await run(`login -u ${username} --password-stdin ${host}`, password)
  const old = path.join(home, '.dockercfg')
  await fs.writeFile(old, JSON.stringify({ [host]: entry }))
  t.regex((await run(`logout ${host}`)).stderr, new RegExp(`warning: ${host} is still let in by ${old}`))
})

test('orlop login says when a registry asked for nothing', async t => {
  const { run } = await setting(t)
  const open = await startRegistry(t)
  const { code, stderr } = await run(`login -u ${username} --password-stdin ${open.host}`, password)
  t.is(code, 0)
  t.regex(stderr, /warning: 127\.0\.0\.1:\d+ asked for no credentials, so the password was not tried/)
})

test('orlop login keeps nothing for what is no registry, and shows it nothing', async t => {
  const { authFile, run } = await setting(t)
  const answers = [
    [200, 'text/html; charset=utf-8', /is not a registry.*a page for people/],
    [404, 'text/plain', /is not a registry.*404/],
    [404, 'text/html', /is not a registry/],
  ] as const
  for (const [status, type, said] of answers) {
    const site = await startRecorder(t, ({ response }) =>
      response.writeHead(status, { 'content-type': type }).end('<html>'),
    )
    const { code, stderr } = await run(`login -u ${username} --password-stdin ${site.host}`, password)
    t.is(code, 3, stderr)
    t.regex(stderr, said)
    t.false(JSON.stringify(site.requests).includes('authorization'))
  }
  await t.throwsAsync(fs.stat(authFile), { code: 'ENOENT' })
})

test('orlop login says which credentials were refused, and where they came from', async t => {
  const { registry, host, authFile, home, run } = await setting(t)
  registry.image('a/b', 'v1', 'layer')
  await fs.mkdir(path.dirname(authFile))
  await fs.writeFile(authFile, JSON.stringify({ auths: { [`${host}/a`]: { auth: btoa('keeper:hunter2') } } }))
  const { code, stderr } = await run(`--root ${home}/root images pull ${host}/a/b:v1`)
  t.is(code, 6)
  t.regex(stderr, new RegExp(`refused the credentials of ${authFile}: auths of ${host}/a \\(401\\)`))
  t.false(stderr.includes('hunter2'))
})

test('--registry-token-file is shown to the registry as it is, and to nothing else', async t => {
  const { home, run } = await setting(t)
  const registry = await startRegistry(t, { auth: { type: 'bearer', registryToken: 'given', username } })
  registry.image('a/b', 'v1', 'layer')
  const file = path.join(home, 'token')
  await fs.writeFile(file, 'given\n')
  const read = `registry manifest -q --registry-token-file ${file} ${registry.host}/a/b:v1`
  t.is((await run(read)).code, 0)
  t.is(registry.seen(/token/).length, 0)
  await fs.writeFile(file, 'hunter2')
  const wrong = await run(read)
  t.is(wrong.code, 6)
  t.regex(wrong.stderr, new RegExp(`refused the credentials of ${file}`))
  t.false(wrong.stderr.includes('hunter2'))
  t.is((await run(read.replace(file, `${file}.gone`))).code, 3)
})

const refuses = test.macro({
  exec: async (t, args: string, said: RegExp, input?: string) => {
    const { run } = await setting(t)
    const { code, stdout, stderr } = await run(args, input)
    t.is(code, 2, stderr)
    t.is(stdout, '')
    t.regex(stderr, said)
    t.false(stderr.includes('hunter2'))
  },
  title: (_, args, said) => `orlop ${args} is refused with ${said}`,
})

test(refuses, 'login --password hunter2 a.test', /not taken.*--password-stdin/)
test(refuses, 'login -p hunter2 -u x a.test', /not taken.*--password-stdin/)
test(refuses, 'login -u x a.test', /stdin is no terminal/, 'hunter2')
test(refuses, 'login --password-stdin a.test', /--username/, 'hunter2')
test(refuses, 'login -u x --password-stdin a.test', /no password came/, '\n')
test(refuses, 'login -u x --password-stdin 127.0.0.1:1/a:b', /a tag does not belong here/, 'hunter2')
test(refuses, 'login --authfile a --compat-auth-file b a.test', /cannot be used with/)
test(refuses, 'login -u x --password-stdin', /which registry\? registries\.conf has none/, 'hunter2')
test(refuses, 'logout', /name a registry, or give --all/)
test(refuses, 'logout --all a.test', /name a registry, or give --all/)
test(refuses, 'images pull --registry-token-file f --user u a.test/x', /cannot be used with/)
