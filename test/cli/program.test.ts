import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import { cliOn, linesOf } from '../support/cli.ts'
import { config, layer, manifest } from '../support/image.ts'
import { publish } from '../support/publish.ts'
import { startRegistry } from '../support/registry.ts'
import { orlop, orlopProgram, projectRoot } from '../support/run.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const helps = test.macro({
  async exec(t, args: string, said: RegExp) {
    const { code, stdout, stderr } = await orlop(args.split(' ').filter(Boolean))
    t.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    t.regex(stdout, said)
  },
  title: (_, args) => `orlop ${args} prints help on stdout and succeeds`,
})

test(helps, '--help', /^Usage: orlop [\s\S]*Exit codes: 0 done/)
test(helps, 'help', /^Usage: orlop [\s\S]*images\|image/)
test(helps, 'images --help', /^Usage: orlop images[\s\S]*pull [\s\S]*delete/)
test(helps, 'help images', /^Usage: orlop images[\s\S]*pull [\s\S]*delete/)
test(helps, 'help images pull', /^Usage: orlop images pull[\s\S]*--platform/)
test(helps, 'images pull --help', /^Usage: orlop images pull[\s\S]*--all-platforms[\s\S]*--user/)
test(helps, '-n x i pull -h', /^Usage: orlop images pull/)
test(helps, 'content --help', /ingest[\s\S]*active[\s\S]*abort/)
test(helps, 'leases create --help', /--expires <duration>[\s\S]*default: 24h/)
test(helps, 'leases --help', /create[\s\S]*resources/)
test(helps, 'ns --help', /create[\s\S]*remove/)

const refuses = test.macro<[readonly string[], RegExp]>({
  async exec(t, args, said) {
    const { code, stdout, stderr } = await orlop(args)
    t.is(code, 2, stderr)
    t.is(stdout, '')
    t.regex(stderr, /^orlop: [^\n]+\n$/)
    t.regex(stderr, said)
  },
  title: (_, args) => `orlop ${args.map(arg => JSON.stringify(arg)).join(' ')} fails with 2 and one line`,
})

test(refuses, ['nonsense'], /unknown command 'nonsense' \(see orlop --help\)/)
test(refuses, ['image', 'bogus'], /unknown command 'bogus' \(see orlop images --help\)/)
test(refuses, ['images', 'pul'], /Did you mean pull\?/)
test(refuses, ['--bogus'], /unknown option '--bogus'/)
test(refuses, ['images', 'list', '--bogus'], /unknown option '--bogus'/)
test(refuses, ['images', 'pull', '--usr=name:hidden', 'x'], /^(?!.*hidden).*unknown option '--usr'/)
test(refuses, ['images', 'pull'], /missing required argument 'reference'/)
test(refuses, ['images', 'pull', 'a', 'b'], /too many arguments/)
test(refuses, ['images', 'tag', 'a'], /missing required argument 'name'/)
test(refuses, ['content', 'get'], /missing required argument/)
test(refuses, ['--root'], /argument missing/)
test(refuses, ['--root', '', 'images', 'list'], /--root.*empty/)
test(refuses, ['--root', '/nonexistent', '-n', '', 'images', 'list'], /--namespace.*empty/)
test(refuses, ['--root', '/nonexistent', '-n', 'a/b', 'namespaces', 'create', 'a/b'], /a\/b|not/)
test(refuses, ['--progress', 'loud', 'version'], /loud/)
test(refuses, ['images', 'pull', '--max-concurrent-downloads', '0', 'x'], /whole number/)
test(refuses, ['images', 'pull', 'UPPER'], /UPPER/)
test(refuses, ['images', 'pull', '--platform', 'linux/&', 'busybox'], /linux\/&/)
test(refuses, ['images', 'pull', '--platform', 'linux/arm64', '--all-platforms', 'busybox'], /not both/)

test('orlop without a command shows what there is, and fails', async t => {
  for (const args of [[], ['images']]) {
    const { code, stdout, stderr } = await orlop(args)
    t.is(code, 2)
    t.is(stdout, '')
    t.regex(stderr, /^Usage: /)
  }
})

test('orlop --json prints its errors as JSON too', async t => {
  const { code, stderr, stdout } = await orlop(['images', 'list', '--bogus', '--json'])
  t.is(code, 2)
  t.is(stdout, '')
  t.like(JSON.parse(stderr), { error: { code: 'INVALID_ARGUMENT' } })
})

test('orlop version is that of package.json', async t => {
  const { version } = JSON.parse(await fs.readFile(path.join(projectRoot, 'package.json'), 'utf8'))
  t.is((await orlop(['--version'])).stdout, `${version}\n`)
  t.is((await orlop(['version', '-q'])).stdout, `${version}\n`)
  t.like(JSON.parse((await orlop(['version', '--json'])).stdout), { version, node: process.version })
  t.regex((await orlop(['version'])).stdout, new RegExp(`^version: ${version}\nnode: v`))
})

test('orlop takes its options before and after the noun and the verb', async t => {
  const run = await cliOn(t)
  await run('namespaces create other')
  await run('-n other leases create --id l')
  for (const args of [
    '-n other -q leases list',
    'leases -n other list -q',
    'leases list --quiet --namespace=other',
    '-qn other leases ls',
  ]) {
    t.is((await run(args)).stdout, 'l\n', args)
  }
})

test('orlop takes root and namespace from the environment, and options over it', async t => {
  const [one, two] = [await cliOn(t), await cliOn(t)]
  await one('-n there leases create --id l')
  const env = { ORLOP_ROOT: one.root, ORLOP_NAMESPACE: 'there' }
  t.is((await orlop(['leases', 'list', '-q'], { env })).stdout, 'l\n')
  t.is((await orlop(['-n', 'elsewhere', 'leases', 'list', '-q'], { env })).stdout, '')
  t.is((await two('leases list -q', { env })).stdout, '')
})

test('orlop puts its store under XDG_DATA_HOME when nothing else is said', async t => {
  const data = await temporaryDirectory(t)
  t.is((await orlop(['leases', 'create', '--id', 'l'], { env: { XDG_DATA_HOME: data } })).code, 0)
  t.true((await fs.readdir(path.join(data, 'orlop'))).includes('metadata'))
})

test('orlop refuses an empty ORLOP_ROOT', async t => {
  const { code, stderr } = await orlop(['images', 'list'], { env: { ORLOP_ROOT: '' } })
  t.is(code, 2)
  t.regex(stderr, /ORLOP_ROOT: empty/)
})

test('orlop says which directory a root that is a file is in the way of', async t => {
  const file = path.join(await temporaryDirectory(t), 'file')
  await fs.writeFile(file, 'mine')
  const { code, stderr } = await orlop(['--root', file, 'images', 'list'])
  t.is(code, 1)
  t.regex(stderr, new RegExp(`^orlop: .*${file}.*is a file.*\n$`))
  t.is((await orlop(['--root', path.join(file, 'below'), 'images', 'list'])).code, 1)
})

/** Runs orlop with a stdout that is closed after the first bytes. */
const withClosedReader = (args: readonly string[], streams: ReadonlyArray<'stdout' | 'stderr'>) =>
  new Promise<{ code: number | null; stderr: string }>(resolve => {
    const child = spawn(process.execPath, [orlopProgram, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    if (streams.includes('stderr')) child.stderr.destroy()
    else
      child.stderr.on('data', chunk => {
        stderr += chunk
      })
    child.stdout.once('data', () => child.stdout.destroy())
    child.once('close', code => resolve({ code, stderr }))
  })

test('orlop ends quietly when nobody reads on', async t => {
  const run = await cliOn(t)
  const { stdout } = await run('content ingest big', { input: Buffer.alloc(8 << 20, 'x') })
  t.deepEqual(await withClosedReader(['--root', run.root, 'content', 'get', stdout.trim()], ['stdout']), {
    code: 0,
    stderr: '',
  })
  // And leaves a store that opens.
  t.is(linesOf(await run('content list -q')).length, 1)
})

test('orlop says by its code that a command is not valid, when nobody reads why', async t => {
  t.is((await withClosedReader(['--bogus'], ['stderr'])).code, 2)
  t.is((await withClosedReader(['images'], ['stderr'])).code, 2)
})

/** Runs orlop with a stdout that has no space. */
const withFullStdout = (args: readonly string[]) =>
  new Promise<{ code: number | null; stderr: string }>((resolve, reject) => {
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [orlopProgram, ...args], { stdio: ['ignore', full, 'pipe'] })
    closeSync(full)
    let stderr = ''
    child.stderr?.on('data', chunk => {
      stderr += chunk
    })
    child.once('error', reject)
    child.once('close', code => resolve({ code, stderr }))
  })

const linux = process.platform === 'linux' ? test : test.skip

linux('orlop says that its output cannot be written, in one line', async t => {
  const run = await cliOn(t)
  const { stdout } = await run('content ingest big', { input: Buffer.alloc(4 << 20, 'x') })
  const root = ['--root', run.root]
  for (const args of [[...root, 'content', 'list'], [...root, 'content', 'get', stdout.trim()], ['--help']]) {
    const { code, stderr } = await withFullStdout(args)
    t.deepEqual({ code, stderr }, { code: 8, stderr: 'orlop: stdout: no space left on the device\n' })
  }
  const { code, stderr } = await withFullStdout([...root, 'content', 'list', '--json'])
  t.is(code, 8)
  t.like(JSON.parse(stderr), { error: { code: 'RESOURCE_EXHAUSTED' } })
  t.is(linesOf(await run('content list -q')).length, 1)
})

test('orlop images pull goes on to its end when nobody reads its progress', async t => {
  const [run, registry] = await Promise.all([cliOn(t), startRegistry(t)])
  const root = manifest(config(), ...['a', 'b', 'c'].map(text => layer(text)))
  const name = publish(registry, 'app', '1', root)
  const { code } = await withClosedReader(['--root', run.root, 'images', 'pull', name], ['stderr'])
  t.is(code, 0)
  t.is((await run(`images check --all-platforms ${name}`)).code, 0)
})
