import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { cliOn } from '../support/cli.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { directoryWith } from '../support/files.ts'
import { image } from '../support/image.ts'
import { testWith } from '../support/programs.ts'
import { publish } from '../support/publish.ts'
import { push } from '../support/push.ts'
import { startRegistry } from '../support/registry.ts'
import { testAuthority } from '../support/tls.ts'

const { ca, server, client } = testAuthority
const root = image('linux/amd64', 'one', 'two')
const pull = 'images pull --platform linux/amd64'

const debian = testWith('docker-registry')

debian('orlop images pull by --tlscacert, --tlscert and --tlskey, or --skip-verify', async t => {
  const { host, url } = await startDockerRegistry(t, { tls: { ...server, clientCa: ca } })
  await push(url, 'app', 'v1', root, { ca, ...client })
  const files = {
    'ca.pem': ca,
    'c.cert': client.cert,
    'c.key': client.key,
    'both.pem': client.cert + client.key,
  }
  const cwd = await directoryWith(t, files)
  const run = await cliOn(t)
  const name = `${host}/app:v1`
  const done = { code: 0, stdout: `${name} ${root.desc.digest}\n` }
  for (const options of [
    '--tlscacert ca.pem --tlscert c.cert --tlskey c.key',
    '--tlscacert ca.pem --tlscert both.pem',
    '-k --tlscert both.pem',
    '--insecure-registry 127.0.0.0/8 --tlscert both.pem',
  ])
    t.like(await run(`${pull} ${options} ${name}`, { cwd }), done, options)
  const nobody = await run(`${pull} --tlscacert ca.pem ${name}`, { cwd })
  t.is(nobody.code, 7)
  t.regex(nobody.stderr, /does it want a client certificate \(--tlscert, --tlskey\)/)
  const untrusted = await run(`${pull} --tlscert both.pem ${name}`, { cwd })
  t.is(untrusted.code, 7)
  t.regex(untrusted.stderr, /is not trusted .*--tlscacert/)
})

test('orlop images pull by --hosts-dir goes to the mirror, and to the registry when it fails', async t => {
  const [mirror, home] = [await startRegistry(t), await startRegistry(t)]
  publish(home, 'app', 'v1', root)
  publish(mirror, 'app', 'v1', root)
  const cwd = await directoryWith(t, {
    'certs.d/a.test/hosts.toml': `server = "http://${home.host}"\n[host."http://${mirror.host}"]`,
  })
  const run = await cliOn(t)
  const done = { code: 0, stdout: `a.test/app:v1 ${root.desc.digest}\n` }
  t.like(await run(`${pull} --hosts-dir certs.d a.test/app:v1`, { cwd }), done)
  t.true(mirror.requests.length > 0)
  t.deepEqual(home.requests, [])
  const size = await run('images size --remote --hosts-dir certs.d -q a.test/app:v1', { cwd })
  t.is(size.code, 0, size.stderr)
})

test('orlop images pull by registries.conf, named by option or environment', async t => {
  const home = await startRegistry(t)
  publish(home, 'moved/app', 'v1', root)
  const conf = `[[registry]]\nprefix = "a.test/team"\nlocation = "${home.host}/moved"`
  const blocked = `[[registry]]\nlocation = "a.test"\nblocked = true`
  const cwd = await directoryWith(t, { 'r.conf': conf, 'blocked.conf': blocked })
  const run = await cliOn(t)
  const done = { code: 0, stdout: `a.test/team/app:v1 ${root.desc.digest}\n` }
  t.like(await run(`${pull} --registries-conf r.conf a.test/team/app:v1`, { cwd }), done)
  const env = { CONTAINERS_REGISTRIES_CONF: path.join(cwd, 'r.conf') }
  t.like(await run(`${pull} a.test/team/app:v1`, { env }), done)
  const refused = await run(`${pull} --registries-conf blocked.conf a.test/team/app:v1`, { cwd })
  t.is(refused.code, 6)
  t.regex(refused.stderr, /^orlop: registry a\.test is blocked in blocked\.conf$/m)
})

const refuses = test.macro<[string, RegExp, number?]>({
  exec: async (t, options, message, code = 2) => {
    const run = await cliOn(t)
    const outcome = await run(`${pull} ${options} a.test/app:v1`)
    t.is(outcome.code, code)
    t.regex(outcome.stderr, message)
  },
  title: (_, options) => `orlop images pull refuses ${options}`,
})

test(refuses, '--hosts-dir a --registries-conf b', /cannot be used with/)
test(refuses, '--tlskey a.key', /--tlskey: name its certificate with --tlscert/)
test(refuses, '--tlscacert /none/ca.pem', /\/none\/ca\.pem: no such file/, 3)
test(refuses, '--hosts-dir /none/certs.d', /hosts directory \/none\/certs\.d: no such directory/, 3)
test(refuses, '--registries-conf /none/r.conf', /registries\.conf \/none\/r\.conf: no such file/, 3)

/** A home directory whose registries.conf says this, and `orlop` in it. */
async function atHome(t: ExecutionContext, conf: string) {
  const HOME = await directoryWith(t, { '.config/containers/registries.conf': conf })
  const run = await cliOn(t)
  return (args: string) => run(args, { env: { HOME, CONTAINERS_REGISTRIES_CONF: undefined } })
}

test('a short name is looked for where registries.conf says, and then known by it', async t => {
  const [first, second] = [await startRegistry(t), await startRegistry(t)]
  publish(second, 'app', 'v1', root)
  const run = await atHome(t, `unqualified-search-registries = ["${first.host}", "${second.host}"]`)
  const full = `${second.host}/app:v1`
  t.like(await run(`${pull} app:v1`), { code: 0, stdout: `${full} ${root.desc.digest}\n` })
  t.true(first.requests.length > 0)
  t.like(await run('-q images delete app:v1'), { code: 0, stdout: `${full}\n` })
  const remote = await run('images platforms --remote app:v1')
  t.is(remote.code, 0, remote.stderr)
  const lost = await run(`${pull} lost`)
  t.is(lost.code, 3)
  t.regex(
    lost.stderr,
    /lost: none of 2 names could be used \(unqualified-search registries of .*registries\.conf\)/,
  )
  for (const { host } of [first, second]) t.true(lost.stderr.includes(`${host}/lost:latest: not found`))
  const user = await run(`${pull} -u me:secret app:v1`)
  t.is(user.code, 2)
  t.regex(user.stderr, /--user: app:v1 may be .* or .*; name the registry/)
})

test('a short name may be an alias, and enforcing wants somebody to choose', async t => {
  const registry = await startRegistry(t)
  const full = publish(registry, 'team/app', 'latest', root)
  const run = await atHome(
    t,
    `short-name-mode = "enforcing"
unqualified-search-registries = ["a.test", "b.test"]
[aliases]
app = "${registry.host}/team/app"`,
  )
  t.like(await run(`${pull} app`), { code: 0, stdout: `${full} ${root.desc.digest}\n` })
  t.like(await run('-q images delete app'), { code: 0, stdout: `${full}\n` })
  const refused = await run(`${pull} other`)
  t.is(refused.code, 1)
  t.regex(refused.stderr, /short-name resolution enforced but cannot prompt without a TTY.*a\.test, b\.test/)
})
