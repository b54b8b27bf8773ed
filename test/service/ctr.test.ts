import fs from 'node:fs'
import test from 'ava'
import { digestOf } from '../../src/oci/digest.ts'
import { canRunContainerd, startContainerd } from '../support/containerd.ts'
import { testWith } from '../support/programs.ts'
import { type Outcome, run } from '../support/run.ts'
import { startServing } from '../support/serving.ts'
import { afterFile } from '../support/tmp.ts'

const shared = afterFile(test.after.always)
const hello = digestOf('hello\n')
const empty = digestOf('')

/** One command of ctr, and what it must do. */
interface Step {
  readonly args: readonly string[]
  readonly input?: string
  readonly code: number
  /** What it prints has to match. */
  readonly prints?: RegExp
  /** A command after it. When that fails both are done again: between them the collector may have come. */
  readonly after?: readonly string[]
}

const step = (line: string, code: number, prints?: RegExp, input?: string): Step => ({
  args: line.split(' ').filter(word => word !== ''),
  code,
  ...(prints && { prints }),
  ...(input !== undefined && { input }),
})

/** Ingests "hello" and gives it a label, without which the collector would take it away. */
const kept = (line: string): Step => {
  const namespace = line.startsWith('-n') ? line.split(' ').slice(0, 2) : []
  const label = [...namespace, 'content', 'label', hello, 'containerd.io/gc.root=1']
  return { ...step(line, 0, /^$/, 'hello\n'), after: label }
}

/** In this order, for they build on each other. */
const steps: readonly Step[] = [
  step('namespaces create a x=y', 0, /^$/),
  step('namespaces create a', 1, /namespace "a": already exists/),
  step('namespaces create b@d', 1, /invalid argument/),
  step('namespaces list', 0, /^a +x=y *$/m),
  step('namespaces label a q=1', 0),
  step('namespaces label a x=', 0),
  step('namespaces list', 0, /^a +q=1 *$/m),
  step('namespaces list -q', 0, /^a\n$/),
  step('namespaces remove nope', 0, /^nope\n$/),
  step('content list', 0, /^DIGEST/),
  kept('content ingest foo --expected-size 6'),
  step('content ingest foo2 --expected-size 7', 1, /unexpected EOF/, 'hello\n'),
  step('content active', 0, /foo2/),
  step('content active ref==foo', 0),
  step(`content ingest foo3 --expected-digest ${hello}`, 0, undefined, 'hello\n'),
  step('content ingest foo4', 0, /^$/, 'hello\n'),
  step('content list', 0, /6B/),
  step('content list -q', 0, new RegExp(`^${hello}\n$`)),
  step(`content list digest==${empty}`, 0),
  step('content list digest===', 1, /invalid argument/),
  step('content list labels.a==b', 0, /^DIGEST[^\n]*\n$/),
  step('content list labels."containerd.io/gc.root"', 0, /gc\.root=1/),
  step(`content get ${hello}`, 0, /^hello\n$/),
  step(`content get ${empty}`, 1, /not found/),
  step('content get sha256:abc', 1),
  step('-n a content list', 0, /^DIGEST[^\n]*\n$/),
  kept('-n a content ingest there'),
  step(`-n a content get ${hello}`, 0, /^hello\n$/),
  step('-n b@d content list', 1, /invalid argument/),
  step('namespaces remove a', 1, /namespace "a" must be empty.*failed precondition/),
  step(`-n a content delete ${hello}`, 0, /^sha256/),
  step('namespaces remove a', 0, /^a\n$/),
  step(`content delete ${hello}`, 0, new RegExp(`^${hello}\n$`)),
  step(`content delete ${hello}`, 0, /^$/),
  step('leases create --id l1 a=b', 0, /^l1\n$/),
  step('leases create --id l1', 1, /lease "l1": already exists/),
  step('leases list', 0, /^l1 .*a=b/m),
  step('leases list -q', 0, /^l1\n$/),
  step('leases list id==none', 0),
  step('leases delete --sync l1', 0, /^l1\n$/),
  step('leases delete l1', 1, /lease "l1": not found/),
  step('images list', 0, /^REF/),
  step('images list -q', 0, /^$/),
  step('images list name==', 1, /invalid argument/),
  step('images delete nobody', 0, /image not found/),
  step('images tag a b', 1, /image "a": not found/),
  step('images label foo a=b', 1, /image "foo": not found/),
  step('images check', 0, /^$/),
  step('containers list', 0, /^CONTAINER/),
  step('plugins list type==io.containerd.content.v1', 0, /io\.containerd\.content\.v1 +content +- +ok/),
]

/** Without what differs from run to run: dates, ages, sizes of columns. */
const normal = ({ stdout, stderr }: Outcome): string =>
  (stdout + stderr)
    .replace(/time="[^"]*"/g, 'time')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)/g, 'DATE')
    .replace(
      /(?:Less than a second|\d+(?:\.\d+)? ?\w+ ago|\d+ (?:second|minute|hour)s?|About an? (?:minute|hour))/g,
      'AGE',
    )
    .replace(/ {2,}/g, ' ')

/** Our errors may say more; the kind, which comes last, is the same. */
const kindOf = (text: string): string => text.trim().split(': ').at(-1) ?? ''

async function ctr(address: string, { args, input = '', after }: Step): Promise<Outcome> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await run('ctr', ['--address', address, ...args], { input })
    if (after === undefined) return outcome
    const { code, stderr } = await run('ctr', ['--address', address, ...after])
    if (code === 0) return outcome
    if (attempt === 10) throw new Error(`ctr ${after.join(' ')}: ${stderr}`)
  }
}

testWith('ctr')('ctr: each command does on `orlop serve` what it does on containerd', async t => {
  const { address } = await startServing(t)
  const real = canRunContainerd() ? await startContainerd(shared) : undefined
  for (const one of steps) {
    const line = `ctr ${one.args.join(' ')}`
    const ours = await ctr(address, one)
    t.is(ours.code, one.code, `${line}\n${ours.stdout}${ours.stderr}`)
    if (one.prints) t.regex(ours.stdout + ours.stderr, one.prints, line)
    if (real === undefined) continue
    const theirs = await ctr(real.address, one)
    t.is(ours.code, theirs.code, line)
    if (one.code === 0) t.is(normal(ours), normal(theirs), line)
    else t.is(kindOf(ours.stderr), kindOf(theirs.stderr), line)
  }
})

testWith('ctr')('ctr version: tells of both sides, with an id that stays', async t => {
  const serving = await startServing(t)
  const first = await run('ctr', ['--address', serving.address, 'version'])
  t.regex(
    first.stdout,
    /Server:\n {2}Version: {2}\d+\.\d+\.\d+\n {2}Revision: orlop\n {2}UUID: [\da-f-]{36}\n/,
  )
  t.is(await serving.stop(), 0)
  t.false(fs.existsSync(serving.address))
  const { address } = await startServing(t, serving.root)
  const second = await run('ctr', ['--address', address, 'version'])
  t.is(second.stdout, first.stdout)
})

testWith('ctr')('ctr plugins list: all parts are there and well', async t => {
  const { address } = await startServing(t)
  const { stdout } = await run('ctr', ['--address', address, 'plugins', 'list'])
  for (const id of [
    'content',
    'images',
    'leases',
    'namespaces',
    'events',
    'transfer',
    'streaming',
    'version',
  ]) {
    t.regex(stdout, new RegExp(`io\\.containerd\\.grpc\\.v1 +${id} +- +ok`))
  }
})

testWith('ctr')(
  'ctr snapshots and tasks: there are none, and what is not served is "not implemented"',
  async t => {
    const { address } = await startServing(t)
    const snapshots = await run('ctr', ['--address', address, 'snapshots', 'list'])
    t.is(snapshots.code, 0, snapshots.stderr)
    const tasks = await run('ctr', ['--address', address, 'tasks', 'list'])
    t.is(tasks.code, 1)
    t.regex(tasks.stderr, /Unimplemented/)
  },
)

test('orlop serve serves at once after it was killed; its socket and root are for its user alone', async t => {
  const first = await startServing(t)
  const mode = (file: string): number => fs.statSync(file).mode & 0o777
  t.is(mode(first.address), 0o600)
  t.is(mode(first.root), 0o700)
  process.kill(first.pid, 'SIGKILL')
  const second = await startServing(t, first.root)
  t.is(second.address, first.address)
  t.is(await second.stop(), 0)
})
