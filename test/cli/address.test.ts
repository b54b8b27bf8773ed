import path from 'node:path'
import test from 'ava'
import { digestOf } from '../../src/oci/digest.ts'
import { canRunContainerd, startContainerd } from '../support/containerd.ts'
import { testWith } from '../support/programs.ts'
import { type Outcome, orlop } from '../support/run.ts'
import { startServing } from '../support/serving.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const hello = digestOf('hello\n')

/** In this order, for they build on each other. Blobs have a root label, for a service collects by itself. */
const steps: readonly (readonly [line: string, input?: string])[] = [
  ['namespaces create a x=y'],
  ['namespaces create a'],
  ['namespaces list'],
  ['namespaces label a z=1'],
  ['content ingest one --label containerd.io/gc.root=1', 'hello\n'],
  [`content ingest two --expected-digest ${hello} --expected-size 6`, 'hello\n'],
  ['content ingest three --expected-size 7', 'other\n'],
  ['content active -q'],
  ['content abort three'],
  ['content abort three'],
  ['content list -q'],
  [`content info ${hello} -q`],
  [`content get ${hello}`],
  [`content get ${digestOf('')}`],
  [`content label ${hello} a=b c=d`],
  [`content label ${hello} a= e=f`],
  ['content list labels.c==d -q'],
  ['content list digest==='],
  ['leases create --id l x=y'],
  ['leases create --id l'],
  ['leases list -q'],
  ['leases delete l'],
  ['leases delete l'],
  ['images list'],
  ['images tag a b'],
  ['-n b@d images list'],
  [`content delete ${hello}`],
  [`content delete ${hello}`],
  ['namespaces remove a'],
  ['namespaces list -q'],
]

const normal = ({ code, stdout, stderr }: Outcome): object => ({
  code,
  stdout: stdout.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'DATE'),
  stderr,
})

const runAll = async (place: readonly string[]): Promise<readonly object[]> => {
  const results: object[] = []
  for (const [line, input = ''] of steps) {
    results.push({ line, ...normal(await orlop([...place, ...line.split(' ')], { input })) })
  }
  return results
}

test('orlop --address: each command does and prints what it does on a root', async t => {
  const { address } = await startServing(t)
  const root = path.join(await temporaryDirectory(t), 'root')
  const [remote, local] = [await runAll(['--address', address]), await runAll(['--root', root])]
  t.deepEqual(remote, local)
})

const testOnContainerd = canRunContainerd() ? testWith('containerd') : undefined
testOnContainerd?.(
  'orlop --address: a real containerd does as well, but for the words of errors',
  async t => {
    const { address } = await startContainerd(t)
    for (const line of ['gc plan', 'gc run', 'df', 'check', 'images prune --all', 'rebuild']) {
      const { code, stderr } = await orlop(['--address', address, ...line.split(' ')])
      t.is(code, 1, line)
      t.regex(
        stderr,
        /^orlop: socket \S+: the service there is not orlop's, or an older one, and has no verb "/,
      )
    }
    t.is((await orlop(['--address', address, 'leases', 'create', '--id', 's'])).code, 0)
    t.is(
      (await orlop(['--address', address, 'leases', 'delete', '--sync', 's'])).stderr,
      'orlop: collected\n',
    )
    for (const [line, input = ''] of steps) {
      const { code, stderr } = await orlop(['--address', address, ...line.split(' ')], { input })
      const fails = /^(?:namespaces create a|content abort three|leases create --id l|leases delete l)$/.test(
        line,
      )
      if (!fails && !/sha256:e3b0|===|images tag|b@d|delete sha256|ingest three/.test(line)) {
        t.is(code, 0, `orlop ${line}\n${stderr}`)
      }
    }
  },
)

test('orlop --address: a socket where nobody listens is named, with the way out', async t => {
  const address = path.join(await temporaryDirectory(t), 'none.sock')
  const { code, stderr } = await orlop(['--address', address, 'images', 'list'])
  t.is(code, 7)
  t.is(
    stderr,
    `orlop: socket ${address}: there is no such socket; start "orlop serve", or correct --address\n`,
  )
})

test('orlop serve: a second one on the root is told who has it', async t => {
  const { root, pid } = await startServing(t)
  const { code, stderr } = await orlop(['serve', '--root', root])
  t.is(code, 7)
  t.regex(stderr, new RegExp(`held by process ${pid}`))
})
