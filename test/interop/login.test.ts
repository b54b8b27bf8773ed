import fs from 'node:fs/promises'
import path from 'node:path'
import type { ExecutionContext } from 'ava'
import { registryUser, startDockerRegistry } from '../support/docker-registry.ts'
import { image } from '../support/image.ts'
import { testWith } from '../support/programs.ts'
import { push } from '../support/push.ts'
import { type RegistryShape, registryShapes } from '../support/registry-shapes.ts'
import { type Outcome, orlop, output, run } from '../support/run.ts'
import { testAuthority } from '../support/tls.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const interop = testWith('docker-registry', 'skopeo')
const { name: username, password } = registryUser
const root = image('linux/amd64', 'one')

/** A home of one's own, and orlop in it; logins go to the session's auth.json. */
async function home(t: ExecutionContext) {
  const directory = await temporaryDirectory(t)
  await fs.mkdir(path.join(directory, 'run'))
  const env = { HOME: directory, XDG_RUNTIME_DIR: path.join(directory, 'run'), DOCKER_CONFIG: undefined }
  const here = (args: readonly string[], input?: string): Promise<Outcome> =>
    orlop(args, { env, ...(input !== undefined && { input }) })
  return { directory, env, here }
}

/** A registry with an image behind a password. */
async function locked(t: ExecutionContext) {
  const { host, url } = await startDockerRegistry(t, { auth: 'basic' })
  const authorization = `Basic ${btoa(`${username}:${password}`)}`
  await push(url, 'team/app', 'v1', root, { authorization })
  return { host, reference: `${host}/team/app:v1` }
}

for (const part of ['', '/team']) {
  interop(
    `skopeo gets in with what orlop login keeps for a registry${part}, and orlop with what skopeo keeps`,
    async t => {
      const { host, reference } = await locked(t)
      const [ours, theirs] = [await home(t), await home(t)]
      const login = await ours.here(['login', '-u', username, '--password-stdin', `${host}${part}`], password)
      t.is(login.code, 0, login.stderr)
      const inspect = ['inspect', '--raw', '--tls-verify=false', `docker://${reference}`]
      t.is(await output('skopeo', inspect, { env: ours.env }), Buffer.from(root.bytes).toString())
      t.not((await run('skopeo', inspect, { env: theirs.env })).code, 0)
      const flags = ['--tls-verify=false', '-u', username, '--password-stdin', `${host}${part}`]
      await output('skopeo', ['login', ...flags], { env: theirs.env, input: password })
      const manifest = await theirs.here(['--json', 'registry', 'manifest', reference])
      t.is(JSON.parse(manifest.stdout).target?.digest ?? JSON.parse(manifest.stdout).digest, root.desc.digest)
      // Both write the same file, and take out what the other put in.
      const file = 'run/containers/auth.json'
      const kept = (directory: string) => fs.readFile(path.join(directory, file), 'utf8')
      t.deepEqual(JSON.parse(await kept(ours.directory)), JSON.parse(await kept(theirs.directory)))
      await output('skopeo', ['logout', `${host}${part}`], { env: ours.env })
      t.is((await theirs.here(['logout', `${host}${part}`])).code, 0)
      t.deepEqual(JSON.parse(await kept(ours.directory)), JSON.parse(await kept(theirs.directory)))
    },
  )
}

const logsIn = ({ name, start }: RegistryShape): void =>
  interop(`orlop login and a pull by it, from a registry of the shape ${name}`, async t => {
    const { host, options } = await start(t)
    const { directory, here } = await home(t)
    const files = {
      'ca.pem': testAuthority.ca,
      'cert.pem': testAuthority.client.cert,
      'key.pem': testAuthority.client.key,
    }
    for (const [file, text] of Object.entries(files)) await fs.writeFile(path.join(directory, file), text)
    const [ca = '', cert = '', key = ''] = Object.keys(files).map(file => path.join(directory, file))
    const tls =
      options.hosts && name.includes('TLS') ? ['--tlscacert', ca, '--tlscert', cert, '--tlskey', key] : []
    const login = await here(['login', '-u', username, '--password-stdin', ...tls, host], password)
    t.is(login.code, 0, login.stderr)
    const secret = name.includes('Basic') || name.includes('tokens')
    t.is(/asked for no credentials/.test(login.stderr), !secret)
    if (secret) {
      const wrong = await here(['login', '-u', username, '--password-stdin', host], 'hunter2')
      t.is(wrong.code, 6)
      t.false(wrong.stderr.includes('hunter2'))
    }
    const pull = await here([
      '--root',
      `${directory}/root`,
      'images',
      'pull',
      ...tls,
      `${host}/team/app:none`,
    ])
    t.is(pull.code, 3, `let in, and nothing there: ${pull.stderr}`)
  })

for (const shape of registryShapes) if (/Basic|tokens by GET|TLS with client/.test(shape.name)) logsIn(shape)

interop('logins of several processes at once are all kept', async t => {
  const { directory, here } = await home(t)
  const { host } = await startDockerRegistry(t, { auth: 'basic' })
  const keys = ['', '/a', '/b', '/c'].map(part => `${host}${part}`)
  const outcomes = await Promise.all(
    keys.map(key => here(['login', '-u', username, '--password-stdin', key], password)),
  )
  t.deepEqual(
    outcomes.map(({ code }) => code),
    [0, 0, 0, 0],
  )
  const { auths } = JSON.parse(await fs.readFile(path.join(directory, 'run/containers/auth.json'), 'utf8'))
  t.deepEqual(Object.keys(auths).toSorted(), keys.toSorted())
})
