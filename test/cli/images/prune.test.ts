import test, { type ExecutionContext } from 'ava'
import { Runtime } from '../../../src/runtime/runtime.ts'
import { config, layer, manifest } from '../../support/image.ts'
import { putImage } from '../../support/put-image.ts'
import { orlop } from '../../support/run.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

const repository = 'docker.io/library/a'

/** `a:1`, `a:2` and `a:3`, in that order, a second apart. */
async function threeVersions(t: ExecutionContext): Promise<string> {
  const root = await temporaryDirectory(t)
  let now = Date.now() - 60_000
  await using runtime = await Runtime.open({ root, now: () => new Date(now) })
  for (const tag of ['1', '2', '3']) {
    const image = manifest(config({ author: tag }), layer(tag.repeat(2000)))
    await putImage(runtime.scope(), `${repository}:${tag}`, image)
    now += 1000
  }
  return root
}

const prune = (root: string, ...args: readonly string[]) =>
  orlop(['--root', root, 'images', 'prune', ...args])
const names = async (root: string): Promise<string> =>
  (await orlop(['--root', root, '--quiet', 'images', 'list'])).stdout

test('orlop images prune without a rule does nothing, says so and exits with 2', async t => {
  const root = await threeVersions(t)
  const { code, stdout, stderr } = await prune(root)
  t.deepEqual([code, stdout], [2, ''])
  t.regex(stderr, /^orlop: prune: no rule was given, so nothing is deleted; give --all, /)
  t.is((await names(root)).split('\n').length, 4)
})

test('orlop images prune --dry-run prints the rule for each image and what would come free, and changes nothing', async t => {
  const root = await threeVersions(t)
  await orlop(['--root', root, 'images', 'pin', 'a:1'])
  const { code, stdout, stderr } = await prune(root, '--dry-run', '--keep-last', '1')
  t.is(code, 0, stderr)
  const lines = stdout.split('\n')
  t.regex(lines[0] ?? '', /^ACTION REF +RULE +REASON$/)
  t.regex(lines[1] ?? '', /^keep +docker\.io\/library\/a:1 pin +pinned by the label orlop\.io\/pinned$/)
  t.regex(stdout, /\ndelete docker\.io\/library\/a:2 keep-last not of the last 1: last changed /)
  t.regex(stdout, /\nkeep +docker\.io\/library\/a:3 keep-last of the last 1 of docker\.io\/library\/a\n/)
  t.regex(
    stdout,
    /\n1 of 3 images would be deleted, which frees 2\.\d KiB; 0\.0 B are garbage already; content: /,
  )
  t.is((await names(root)).split('\n').length, 4)
})

test('orlop images prune deletes, collects and prints the names', async t => {
  const root = await threeVersions(t)
  const { code, stdout, stderr } = await prune(root, '--keep-last', '1')
  t.deepEqual([code, stdout], [0, `${repository}:1\n${repository}:2\n`])
  t.regex(stderr, /deleted 2 of 3 images; the collection freed 4\.\d KiB/)
  t.is(await names(root), `${repository}:3\n`)
  const usage = JSON.parse((await orlop(['--root', root, '--json', 'df'])).stdout)
  t.is(usage.total.garbage, 0)
})

test('orlop images prune --json says the same of plan and run', async t => {
  const root = await threeVersions(t)
  const args = [
    '--root',
    root,
    '--json',
    'images',
    'prune',
    '--filter',
    'name~=":1$"',
    '--filter',
    'name~=":3$"',
  ]
  const dry = JSON.parse((await orlop([...args, '--dry-run'])).stdout)
  const wet = JSON.parse((await orlop(args)).stdout)
  t.deepEqual(wet.deleted, [`${repository}:1`, `${repository}:3`])
  t.deepEqual([dry.dryRun, dry.deleted, wet.dryRun], [true, [], false])
  for (const key of ['images', 'before', 'garbage', 'freed', 'after', 'missed'])
    t.deepEqual(wet[key], dry[key])
  t.is(wet.collection.bytes, wet.freed.bytes)
  t.is(wet.images[0].rule, 'filter')
})

test('orlop images prune --quiet --dry-run prints the names that would go', async t => {
  const root = await threeVersions(t)
  const { stdout } = await orlop([
    '--root',
    root,
    '--quiet',
    'images',
    'prune',
    '--dry-run',
    '--older-than',
    '0',
  ])
  t.is(stdout, `${repository}:1\n${repository}:2\n${repository}:3\n`)
})

test('orlop images prune exits with 8 when a cap cannot be met, and says what keeps the rest', async t => {
  const root = await threeVersions(t)
  const { code, stderr, stdout } = await prune(root, '--max-bytes', '1k', '--keep-last', '1')
  t.is(code, 8)
  t.is(stdout, `${repository}:1\n${repository}:2\n`)
  t.regex(
    stderr,
    /--max-bytes cannot be met: 1\.\d KiB too much is left; the last versions of repositories keep 2\.\d KiB\n/,
  )
})

const refuses = test.macro<string[]>({
  async exec(t, ...args) {
    const root = await temporaryDirectory(t)
    const { code, stderr } = await prune(root, ...args)
    t.is(code, 2, stderr)
    t.regex(stderr, /^orlop: /)
  },
  title: (_, ...args) => `orlop images prune refuses ${args.join(' ')}`,
})

test(refuses, '--keep-last', '0')
test(refuses, '--max-bytes', 'much')
test(refuses, '--min-free', '101%')
test(refuses, '--older-than', 'yesterday')
test(refuses, '--filter', 'name=')
