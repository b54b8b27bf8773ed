import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '../support/bytes.ts'
import { cliOn, linesOf } from '../support/cli.ts'
import { config, layer, manifest } from '../support/image.ts'
import { publish } from '../support/publish.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { type Outcome, orlop, startOrlop } from '../support/run.ts'
import { startServing } from '../support/serving.ts'
import { startSharing } from '../support/shared.ts'
import { corruptDigests, storedIngests } from '../support/store-files.ts'

/** A root, a registry with some images, and `orlop` at once. */
async function setUp(t: ExecutionContext) {
  const [run, registry] = await Promise.all([cliOn(t), startRegistry(t)])
  const shared = layer(randomBytes('shared', 700_000))
  const names = ['a', 'b', 'c', 'd'].map(name =>
    publish(registry, name, '1', manifest(config(), shared, layer(randomBytes(name, 1_200_000)))),
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
    ...['images list', `images check ${a}`, 'content list', 'check --quick', 'df'],
    ...['images delete nobody:1', 'gc plan', 'gc run'],
    ...['images prune --filter name==nobody', 'images prune --keep-last 9'],
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
    await Promise.race([Promise.all(work.map(one => one.outcome)), setTimeout(400 + Math.random() * 1500)])
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

/** Holds back the second half of a repository's blobs until it is let go; tells how many wait. */
function holdBack(registry: TestRegistry, repository: string) {
  const waiting: (() => void)[] = []
  let isOpen = false
  registry.always(new RegExp(`/${repository}/blobs/`), ({ request, response, answer }) => {
    const { status, headers, body } = answer()
    response.writeHead(status, { ...headers, 'content-length': body.byteLength })
    const end = (): void => void response.end(request.method === 'HEAD' ? undefined : body.subarray(half))
    const half = request.method === 'HEAD' ? 0 : body.byteLength >> 1
    response.write(body.subarray(0, half))
    if (isOpen) end()
    else waiting.push(end)
  })
  return {
    untilWaiting: async (count: number): Promise<void> => {
      while (waiting.length < count) await setTimeout(10)
    },
    letGo: (): void => {
      isOpen = true
      for (const end of waiting) end()
    },
  }
}

test('orlop: an owner that is killed amid its own pull takes no other pull with it, and its own goes on later', async t => {
  const { run, registry, names, start } = await setUp(t)
  const [a = '', b = '', c = ''] = names
  const [ofOwner, ofGuest] = [holdBack(registry, 'a'), holdBack(registry, 'b')]
  const owner = start(`images pull ${a}`)
  await ofOwner.untilWaiting(3)
  while (!(await storedIngests(run.root)).some(({ size }) => size > 0)) await setTimeout(10)
  // The images share blobs, of which a namespace fetches each once.
  const guest = start(`-n guest images pull ${b}`)
  await ofGuest.untilWaiting(3)
  check(t, await run(`-n other images pull ${c}`))
  owner.child.kill('SIGKILL')
  await owner.outcome
  const others = ['namespaces create n', 'images list', 'gc run'].map(line => start(line).outcome)
  ofGuest.letGo()
  for (const outcome of [...(await Promise.all(others)), await guest.outcome]) check(t, outcome)
  const before = registry.requests.length
  ofOwner.letGo()
  check(t, await run(`images pull ${a}`))
  const ranges = registry.requests.slice(before).map(({ headers }) => headers.range)
  t.true(
    ranges.some(range => /^bytes=[1-9]/.test(range ?? '')),
    'what the owner had is not fetched again',
  )
  for (const image of [a, `-n guest ${b}`, `-n other ${c}`]) {
    check(t, await run(`images check ${image}`))
  }
  t.deepEqual(await corruptDigests(run.root), [])
  check(t, await run('check'))
})

/** Without what differs from run to run: ages, pauses, what the database takes, and the columns that they widen. */
const stable = (text: string): string =>
  text
    .replaceAll(/Less than a second|About a minute|\d+ (?:seconds?|minutes?)/g, 'AGE')
    .replaceAll(/at most [\d.]+ ms, \d+ times/g, 'at most PAUSES')
    .replaceAll(/"(?:longest|total|mark|order|sweep|bytes|count|garbage|allocated)": [\d.]+/g, 'NUMBER')
    .replaceAll(/has \d+ records/g, 'has RECORDS')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'DATE')
    .replaceAll(/^(?:\(metadata\)|TOTAL).*$/gm, 'METADATA')
    .replaceAll(/ +/g, ' ')

const onImages = (image: string, digest: string): readonly string[] => [
  'images list',
  'images list --json',
  `images check ${image}`,
  `images check --json ${image}`,
  `images inspect ${image}`,
  `images inspect --json ${image}`,
  `images size ${image}`,
  `images platforms ${image}`,
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

const onTheStore = (image: string, digest: string): readonly string[] => [
  'gc plan',
  `gc why --json ${digest}`,
  'gc why nobody',
  'df',
  'df --json',
  `df --bytes ${image}`,
  'check --json',
  'images prune',
  `images pin ${image}`,
  'images prune --dry-run --all',
  `images unpin ${image}`,
  'rebuild',
  'rebuild --force-merge -n other',
  'images prune --max-bytes 1 --json',
  'gc run --json',
]

type Run = (line: string) => Promise<Outcome>

const outputs = async (run: Run, lines: readonly string[]): Promise<readonly object[]> => {
  const results: object[] = []
  for (const line of lines) {
    const { code, stdout, stderr } = await run(line)
    results.push({ line, code, stdout: stable(stdout), stderr: stable(stderr) })
  }
  return results
}

test('orlop: the same output as owner and as guest', async t => {
  const { run, names } = await setUp(t)
  const [a = ''] = names
  check(t, await run(`images pull ${a}`))
  check(t, await run('leases create --id l x=y'))
  const [digest = ''] = linesOf(await run('content list -q'))
  const lines = [...onImages(a, digest), 'gc plan', 'gc plan --json', `gc why ${digest}`, 'check --json']
  await run('content ingest garbage', { input: 'garbage' })
  const asOwner = await outputs(run, lines)
  const { isOwner } = await startSharing(t, run.root)
  t.true(isOwner)
  t.deepEqual(await outputs(run, lines), asOwner)
})

test('orlop: the verbs on a whole store do and print the same beside a service, by its root and by its socket', async t => {
  const { run, names } = await setUp(t)
  const [a = ''] = names
  check(t, await run(`images pull ${a}`))
  const [digest = ''] = linesOf(await run('content list -q'))
  const lines = onTheStore(a, digest)
  const prepare = async (): Promise<void> => {
    check(t, await run(`images pull -q ${a}`))
    check(t, await run('namespaces remove other'))
  }
  const asOwner = await outputs(run, lines)
  await prepare()
  const { address } = await startServing(t, run.root)
  t.deepEqual(await outputs(run, lines), asOwner)
  await prepare()
  const atAddress: Run = line => orlop(['--address', address, ...line.split(' ')])
  t.deepEqual(await outputs(atAddress, lines), asOwner)
})
