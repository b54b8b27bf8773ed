import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { encodeSignature } from '../../../src/images/signature.ts'
import { cells, cliOn, linesOf } from '../../support/cli.ts'
import { image, index, type Node } from '../../support/image.ts'
import { publish } from '../../support/publish.ts'
import { startRegistry } from '../../support/registry.ts'
import { signingKey, sigstoreSignature } from '../../support/signing.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

const amd = image('linux/amd64', 'amd')
const arm = image('linux/arm64', 'arm')
const pair = index(amd, arm)

/** A registry with an image, a policy that wants it signed by a key, and a lookaside with signatures. */
const setUp = async (t: ExecutionContext) => {
  const [run, registry, directory] = await Promise.all([cliOn(t), startRegistry(t), temporaryDirectory(t)])
  const name = publish(registry, 'app', '1', pair)
  const key = signingKey()
  const at = (file: string): string => path.join(directory, file)
  const requirement = { type: 'sigstoreSigned', keyPath: at('key.pub') }
  await fs.writeFile(at('key.pub'), key.pem)
  await fs.writeFile(at('other.pub'), signingKey().pem)
  await fs.writeFile(at('policy.json'), JSON.stringify({ default: [requirement] }))
  await fs.mkdir(at('registries.d'))
  await fs.writeFile(
    at('registries.d/a.yaml'),
    `default-docker:\n  lookaside: file://${directory}/lookaside\n`,
  )
  const sign = async ({ desc: { digest } }: Node, reference = name): Promise<void> => {
    const into = at(`lookaside/app@${digest.replace(':', '=')}`)
    await fs.mkdir(into, { recursive: true })
    const made = sigstoreSignature({ key, digest, reference, optional: { timestamp: 1_700_000_000 } })
    await fs.writeFile(path.join(into, 'signature-1'), encodeSignature(made))
  }
  return { run, registry, name, sign, at, places: `--registries.d ${at('registries.d')}` }
}

test('orlop images pull --policy takes what is signed, and says why it denies the rest', async t => {
  const { run, registry, name, sign, at, places } = await setUp(t)
  const pull = `images pull --platform linux/amd64 --policy ${at('policy.json')} ${places} ${name}`
  const denied = await run(pull)
  t.is(denied.code, 6)
  t.is(denied.stdout, '')
  t.regex(
    denied.stderr,
    new RegExp(
      `orlop: .*${name} \\(${amd.desc.digest}\\): the policy for default denies it: sigstoreSigned: a signature is required, and there is none`,
    ),
  )
  t.deepEqual(registry.seen(/\/blobs\//), [])
  t.is((await run('images list -q')).stdout, '')
  await sign(amd)
  t.like(await run(pull), { code: 0, stdout: `${name} ${pair.desc.digest}\n` })
})

test('orlop images pull takes the policy of the user, and --insecure-policy leaves it', async t => {
  const { run, name, at } = await setUp(t)
  const env = { HOME: at('home') }
  await fs.mkdir(at('home/.config/containers'), { recursive: true })
  await fs.writeFile(at('home/.config/containers/policy.json'), '{"default":[{"type":"reject"}]}')
  t.like(await run(`images pull ${name}`, { env }), { code: 6 })
  t.like(await run(`content fetch ${name}`, { env }), { code: 6 })
  t.like(await run(`images pull --insecure-policy ${name}`, { env }), { code: 0 })
  await fs.writeFile(at('home/.config/containers/policy.json'), '{')
  const broken = await run(`images pull ${name}`, { env })
  t.is(broken.code, 2)
  t.regex(broken.stderr, /policy\.json: not JSON/)
  t.like(await run(`images pull --policy ${at('policy.json')} --insecure-policy ${name}`), { code: 2 })
  t.like(await run(`images pull --policy ${at('absent')} ${name}`), { code: 3 })
})

test('orlop images verify judges what is here by a policy, or a key', async t => {
  const { run, name, sign, at, places } = await setUp(t)
  await sign(amd)
  t.is((await run(`images pull --platform linux/amd64 ${places} ${name}`)).code, 0)
  const { code, stdout } = await run(`images verify --policy ${at('policy.json')} ${name}`)
  t.is(code, 0)
  const [header, row, line, ...rest] = linesOf({ stdout })
  t.deepEqual(cells(header), ['MANIFEST', 'PLATFORM', 'VERDICT', 'POLICY'])
  t.deepEqual(cells(row), [amd.desc.digest, 'linux/amd64', 'accepted', 'default'])
  t.regex(
    line ?? '',
    new RegExp(
      `^${amd.desc.digest}: sigstoreSigned: signature 1: by sha256:[0-9a-f]{64} for ${name}, at 2023-11-14T22:13:20.000Z$`,
    ),
  )
  t.deepEqual(rest, [])
  t.like(await run(`images verify -q --key ${at('key.pub')} ${name}`), { code: 0, stdout: `${name}\n` })
  t.like(await run(`images verify -q --key ${at('other.pub')} ${name}`), { code: 6, stdout: '' })
  t.like(await run(`images verify -q --key ${at('other.pub')} --key ${at('key.pub')} ${name}`), { code: 0 })
  t.like(await run(`images verify --key ${at('key.pub')} --policy ${at('policy.json')} ${name}`), { code: 2 })
  t.like(await run(`images verify --key ${at('key.pub')} nothing`), { code: 3 })
})

test('orlop images verify --json tells all that is known', async t => {
  const { run, name, sign, at, places } = await setUp(t)
  await sign(amd)
  t.is((await run(`images pull ${places} ${name} --all-platforms`)).code, 0)
  const { code, stdout } = await run(`--json images verify --policy ${at('policy.json')} ${name}`)
  t.is(code, 6)
  const { manifests, ...verified } = JSON.parse(stdout)
  t.like(verified, { name, accepted: false, index: { digest: pair.desc.digest, accepted: false } })
  t.like(manifests[0], { digest: amd.desc.digest, platform: 'linux/amd64', accepted: true, scope: 'default' })
  t.like(manifests[0].requirements[0].signatures[0], {
    format: 'sigstore',
    accepted: true,
    signed: { digest: amd.desc.digest, reference: name, signedAt: '2023-11-14T22:13:20.000Z' },
  })
  t.like(manifests[1], { digest: arm.desc.digest, accepted: false })
  t.like(manifests[1].requirements[0], {
    type: 'sigstoreSigned',
    accepted: false,
    reason: 'a signature is required, and there is none',
    signatures: [],
  })
})

test('orlop images verify --remote judges what the registry has, and --as another name of it', async t => {
  const { run, name, sign, at, places } = await setUp(t)
  const verify = `images verify -q --remote ${places} --policy ${at('policy.json')} --platform linux/arm64`
  t.like(await run(`${verify} ${name}`), { code: 6 })
  await sign(arm, 'q.io/team/app:1')
  t.like(await run(`${verify} ${name}`), { code: 6 })
  t.like(await run(`${verify} --as q.io/team/app:1 ${name}`), { code: 0, stdout: `${name}\n` })
  t.is((await run('images list -q')).stdout, '')
})
