import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '../support/bytes.ts'
import { cliOn, linesOf } from '../support/cli.ts'
import { config, layer, manifest } from '../support/image.ts'
import { publish } from '../support/publish.ts'
import { startRegistry } from '../support/registry.ts'
import { type Outcome, startOrlop } from '../support/run.ts'
import { startSharing } from '../support/shared.ts'
import { corruptDigests } from '../support/store-files.ts'
import { temporaryDirectory } from '../support/tmp.ts'

/** A root, a registry with some images, and `orlop` at once. */
async function setUp(t: ExecutionContext) {
  const [run, registry] = await Promise.all([cliOn(t), startRegistry(t)])
  const shared = layer(randomBytes('shared', 700_000))
  const names = ['a', 'b', 'c', 'd'].map(name =>
    publish(registry, name, '1', manifest(config(), shared, layer(randomBytes(name, 400_000)))),
  )
  const start = (line: string) => startOrlop(['--root', run.root, ...line.split(' ')], { deadline: 150_000 })
  return { run, registry, names, start }
}

const check = (t: ExecutionContext, { code, stderr, command }: Outcome): void => {
  t.is(code, 0, `${command}\n${stderr}`)
}

test('orlop: twenty at once on one root, that read, pull, tag, delete and prune, all succeed', async t => {
  const { run, names, start } = await setUp(t)
  const [a = '', b = '', c = '', d = ''] = names
  check(t, await run(`images pull ${a}`))
  const lines = [
    ...[b, c, d, b, c].map(name => `images pull ${name}`),
    ...Array.from({ length: 5 }, (_, at) => `images tag ${a} tag:${at}`),
    ...[
      'images list',
      `images check ${a}`,
      'content list',
      `images size ${a}`,
      'leases list',
      'namespaces list',
    ],
    `images delete --sync ${a}-none`,
    'images delete nobody:1',
    'images prune --filter name==nobody',
    'gc run',
  ]
  t.is(lines.length, 20)
  for (const outcome of await Promise.all(lines.map(line => start(line).outcome))) check(t, outcome)
  const wanted = [...names, ...Array.from({ length: 5 }, (_, at) => `tag:${at}`)]
  t.deepEqual(linesOf(await run('images list -q')).toSorted(), wanted.toSorted())
  for (const name of names) check(t, await run(`images check ${name}`))
  t.deepEqual(await corruptDigests(run.root), [])
  check(t, await run('check'))
})

/** How many owners are killed; the campaign asks for 50. */
const kills = Number(process.env.ORLOP_TEST_KILLS ?? 4)

test('orlop: owners that are killed at random take nothing with them, and stop nobody', async t => {
  const { run, names, start } = await setUp(t)
  const made: string[] = []
  for (let round = 0; round < kills; round++) {
    const { child, outcome, isOwner } = await startSharing(t, run.root)
    t.true(isOwner)
    const [name = ''] = names.slice(round % names.length)
    const namespace = `n${round}`
    const work = [
      start(`-n ${namespace} images pull -q ${name}`),
      start(`namespaces create made${round}`),
      start('images list'),
    ]
    await Promise.race([
      Promise.all(work.map(one => one.outcome)),
      new Promise(resolve => setTimeout(resolve, 400 + Math.random() * 1500)),
    ])
    child.kill('SIGKILL')
    await outcome
    for (const one of work) check(t, await one.outcome)
    made.push(`made${round}`, namespace)
    check(t, await run(`-n ${namespace} images check ${name}`))
  }
  t.deepEqual(linesOf(await run('namespaces list -q')).toSorted(), made.toSorted())
  t.deepEqual(await corruptDigests(run.root), [])
  check(t, await run('check'))
})

/** Without ages, and the columns that they widen. */
const stable = (text: string): string =>
  text
    .replaceAll(/Less than a second|About a minute|\d+ (?:seconds?|minutes?)/g, 'AGE')
    .replaceAll(/ +/g, ' ')

test('orlop: the same output as owner and as guest', async t => {
  const { run, names } = await setUp(t)
  const [a = ''] = names
  check(t, await run(`images pull ${a}`))
  check(t, await run('leases create --id l x=y'))
  const [digest = ''] = linesOf(await run('content list -q'))
  const lines = [
    'images list',
    'images list --json',
    `images check ${a}`,
    `images check --json ${a}`,
    `images inspect ${a}`,
    `images inspect --json ${a}`,
    `images size ${a}`,
    `images platforms ${a}`,
    'content list',
    'content list --json',
    `content info ${digest}`,
    'content active',
    'leases list',
    'leases list --json',
    'namespaces list',
    'images inspect nobody:1',
    `content info sha256:${'0'.repeat(64)}`,
    'content list digest===',
    '-n b@d images list',
  ]
  const all = async (): Promise<readonly object[]> => {
    const results: object[] = []
    for (const line of lines) {
      const { code, stdout, stderr } = await run(line)
      results.push({ line, code, stdout: stable(stdout), stderr })
    }
    return results
  }
  const asOwner = await all()
  const { isOwner } = await startSharing(t, run.root)
  t.true(isOwner)
  t.deepEqual(await all(), asOwner)
})

test('orlop: a verb that needs the files names the process that does not let go of them', async t => {
  const root = path.join(await temporaryDirectory(t), 'root')
  const { child } = await startSharing(t, root)
  const { code, stderr } = await startOrlop(['--root', root, 'gc', 'plan']).outcome
  t.is(code, 7)
  t.regex(stderr, new RegExp(`^orlop: store ${root}: held by process ${child.pid} .*\\n$`))
})
