import test, { type ExecutionContext } from 'ava'
import { Runtime } from '../../../src/runtime/runtime.ts'
import { cliOn, linesOf } from '../../support/cli.ts'
import { directory, file, imageOf, symlink, tarLayer } from '../../support/layers.ts'
import { publish } from '../../support/publish.ts'
import { putImage } from '../../support/put-image.ts'
import { startRegistry } from '../../support/registry.ts'
import { orlop } from '../../support/run.ts'
import { startServing } from '../../support/serving.ts'

const base = tarLayer(directory('etc'), file('etc/a', 'text\n'), 'gone', symlink('l', '/etc/a'))
const top = tarLayer('.wh.gone', file('evil\x1b[31m\nname', 'x'))
const one = imageOf([base], { User: 'a' })
const two = imageOf([base, top], { User: 'b' })
const names = { one: 'docker.io/library/one:1', two: 'docker.io/library/two:1' }
const evil = '/evil\\u{1b}[31m\\nname'

/** In no order, for none changes anything. */
const commands: ReadonlyArray<
  readonly [line: string, code: number, lines: readonly string[], stderr?: RegExp]
> = [
  ['ls-files two:1', 0, ['/etc', '/etc/a', evil, '/l']],
  [
    'ls-files --long two:1 etc/',
    0,
    [
      'drwxr-xr-x 0/0                0 1970-01-01T00:00:00Z 0 /etc',
      '-rw-r--r-- 0/0                5 1970-01-01T00:00:00Z 0 /etc/a',
    ],
  ],
  [
    'ls-files --layers two:1',
    0,
    [
      `layer 0 ${base.node.desc.digest}`,
      ...['  /etc', '  /etc/a', '  /gone', '  /l'],
      `layer 1 ${top.node.desc.digest}`,
      ...['- /gone', `  ${evil}`],
    ],
  ],
  ['ls-files two:1 gone', 3, [], /nothing at or below "\/gone"/],
  ['ls-files --max-entries 2 two:1', 8, [], /more than 2 entries/],
  ['ls-files --platform plan9/mips none:1', 3, [], /none:1: not found/],
  ['cat two:1 l', 0, ['text']],
  ['cat --verify two:1 etc/a', 0, ['text']],
  ['cat two:1 etc', 2, [], /is a directory/],
  ['cat two:1 etc/b', 3, [], /"\/etc" is the nearest/],
  ['diff one:1 two:1', 0, ['- config User: a', '+ config User: b', `+ ${evil}`, '- /gone']],
  ['diff --exit-code one:1 two:1', 1, ['- config User: a', '+ config User: b', `+ ${evil}`, '- /gone']],
  ['diff --exit-code one:1 one:1', 0, []],
  ['diff --remote -u a:b one:1 two:1', 2, [], /are for one registry/],
]

const runs = async (t: ExecutionContext, place: readonly string[], only = commands): Promise<void> => {
  for (const [line, code, lines, stderr = /^$/] of only) {
    const outcome = await orlop([...place, 'images', ...line.split(' ')])
    t.deepEqual([outcome.code, linesOf(outcome)], [code, lines], `${line}: ${outcome.stderr}`)
    t.regex(outcome.stderr, stderr)
  }
}

/** A root with both images. */
async function setUp(t: ExecutionContext) {
  const run = await cliOn(t)
  await using runtime = await Runtime.open({ root: run.root })
  await putImage(runtime.scope(), names.one, one)
  await putImage(runtime.scope(), names.two, two)
  return run
}

test('orlop images ls-files, cat and diff on a root', async t => {
  await runs(t, ['--root', (await setUp(t)).root])
})

test('orlop images ls-files, cat and diff on a socket', async t => {
  const { address } = await startServing(t, (await setUp(t)).root)
  const some = commands.filter(([line]) => /^(?:ls-files|cat|diff --exit-code one:1) two:1/.test(line))
  await runs(t, ['--address', address], some)
})

test('orlop images ls-files, cat and diff give JSON', async t => {
  const run = await setUp(t)
  const json = async (line: string): Promise<unknown> =>
    JSON.parse((await run(`--json images ${line}`)).stdout)
  const layer = { index: 0, digest: base.node.desc.digest }
  const a = {
    ...{ path: '/etc/a', type: 'file', mode: '0644', uid: 0, gid: 0, size: 5 },
    modifiedAt: '1970-01-01T00:00:00Z',
    layer,
  }
  t.deepEqual(await json('ls-files two:1 etc/a'), [a])
  t.deepEqual(await json('cat two:1 l'), a)
  const found = await json('ls-files --layers two:1 gone')
  t.like(found, [{ type: 'file' }, { path: '/gone', type: 'whiteout', layer: { index: 1 } }])
  t.like(await json('diff one:1 two:1'), {
    sharedLayers: 1,
    config: [{ field: 'User', before: 'a', after: 'b' }],
    files: [{ change: 'added' }, { path: '/gone', change: 'removed', before: { type: 'file' } }],
  })
})

test('orlop images ls-files, cat and diff read images in their registry, and store nothing', async t => {
  const run = await setUp(t)
  const registry = await startRegistry(t)
  const remote = publish(registry, 'two', '1', two)
  t.deepEqual(linesOf(await run(`images cat --remote ${remote} l`)), ['text'])
  t.deepEqual(linesOf(await run(`images ls-files docker://${remote} etc`)), ['/etc', '/etc/a'])
  t.deepEqual(linesOf(await run(`images diff two:1 docker://${remote}`)), [])
  t.is(linesOf(await run('images list -q')).length, 2)
})
