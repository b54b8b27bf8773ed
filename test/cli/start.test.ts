import fs from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { nouns } from '../../src/cli/nouns.ts'
import { version } from '../../src/version.ts'
import { cleanEnvironment, orlop, projectRoot, run } from '../support/run.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const bundle = path.join(projectRoot, 'dist/bundle/orlop.cjs')

/** A directory for the code of V8, `orlop` that uses it, and the files of code in it. */
async function cached(t: Parameters<typeof temporaryDirectory>[0]) {
  const home = await temporaryDirectory(t)
  const code = path.join(home, 'orlop', 'code')
  return {
    home,
    orlop: (...args: string[]) => orlop(args, { env: { XDG_CACHE_HOME: home } }),
    files: async () => (await fs.readdir(code).catch(() => [])).map(name => path.join(code, name)),
  }
}

test('the compiled code of a noun is kept, for its owner alone, and used again', async t => {
  const { orlop, files } = await cached(t)
  t.is((await orlop('version')).code, 0)
  const [file = ''] = await files()
  const { mode, mtimeMs } = await fs.stat(file)
  t.is(mode & 0o777, 0o600)
  t.is((await fs.stat(path.dirname(file))).mode & 0o777, 0o700)
  const { code, stdout } = await orlop('version')
  t.is(code, 0)
  t.true(stdout.includes(version))
  t.deepEqual(await files(), [file])
  t.is((await fs.stat(file)).mtimeMs, mtimeMs)
})

const spoilt = test.macro(async (t, spoil: (file: string) => Promise<void>) => {
  const { orlop, files } = await cached(t)
  await orlop('version')
  const [file = ''] = await files()
  await spoil(file)
  const { code, stdout, stderr } = await orlop('version')
  t.deepEqual([code, stderr], [0, ''])
  t.true(stdout.includes(version))
})

test('code that is torn is not run', spoilt, async file => {
  const bytes = await fs.readFile(file)
  await fs.writeFile(file, bytes.fill(0, 50_000))
})

test('code of which one bit is another is not run', spoilt, async file => {
  const bytes = await fs.readFile(file)
  bytes.writeUInt8(bytes.readUInt8(70_000) ^ 1, 70_000)
  await fs.writeFile(file, bytes)
})

test('code of a large command of which one bit is another is not run', async t => {
  const { home, orlop, files } = await cached(t)
  const list = () => orlop('images', 'list', '--root', path.join(home, 'root'))
  await list()
  const [file = ''] = await files()
  const bytes = await fs.readFile(file)
  t.true(bytes.byteLength > 200_000)
  const at = bytes.byteLength - 5_000
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  await fs.writeFile(file, bytes)
  const { code, stderr } = await list()
  t.deepEqual([code, stderr], [0, ''])
  t.notDeepEqual(await fs.readFile(file), bytes)
})

test('code that is cut is not run', spoilt, async file => fs.truncate(file, 50_001))

test('code that is empty is not run', spoilt, async file => fs.truncate(file, 0))

test('code that others may write is not used, and made anew', async t => {
  const { orlop, files } = await cached(t)
  await orlop('version')
  const [file = ''] = await files()
  await fs.chmod(file, 0o666)
  t.is((await orlop('version')).code, 0)
  t.is((await fs.stat(file)).mode & 0o777, 0o600)
})

test('a home that is not there is not made', async t => {
  const home = path.join(await temporaryDirectory(t), 'none')
  const { code } = await orlop(['version'], { env: { HOME: home, XDG_CACHE_HOME: undefined } })
  t.is(code, 0)
  await t.throwsAsync(fs.stat(home), { code: 'ENOENT' })
})

test('NODE_DISABLE_COMPILE_CACHE keeps no code', async t => {
  const home = await temporaryDirectory(t)
  await orlop(['version'], { env: { XDG_CACHE_HOME: home, NODE_DISABLE_COMPILE_CACHE: '1' } })
  t.deepEqual(await fs.readdir(home), [])
})

test('each command has code of its own, the same by all its names', async t => {
  const { orlop, files } = await cached(t)
  const named = async () => (await files()).map(file => path.basename(file).split('@')[0]).sort()
  await orlop('images', 'list', '--help')
  t.deepEqual(await named(), ['images-list'])
  await orlop('i', 'ls', '--help')
  t.deepEqual(await named(), ['images-list'])
  await orlop('--json', 'version')
  await orlop('constructor')
  await orlop('images', 'toString')
  t.deepEqual(await named(), ['images', 'images-list', 'orlop'])
})

test('code that a later run of a command needs as well is added', async t => {
  const { home, orlop, files } = await cached(t)
  await orlop('images', 'list', '--help')
  const [file = ''] = await files()
  const { size } = await fs.stat(file)
  const { code, stderr } = await orlop('images', 'list', '--root', path.join(home, 'root'))
  t.deepEqual([code, stderr], [0, ''])
  t.true((await fs.stat(file)).size > size)
})

test('without a cache directory that can be written, it works as well', async t => {
  const { home, orlop, files } = await cached(t)
  await fs.writeFile(path.join(home, 'orlop'), 'in the way')
  const { code, stdout, stderr } = await orlop('version')
  t.deepEqual([code, stderr, await files()], [0, '', []])
  t.true(stdout.includes(version))
})

for (const { name } of nouns) {
  test(`the bundle has all that ${name} is made of`, async t => {
    const { code, stdout, stderr } = await orlop([name, '--help'])
    t.deepEqual([code, stderr], [0, ''])
    t.regex(stdout, new RegExp(`^Usage: orlop ${name}`))
  })
}

/** A copy of what starts orlop, with the modules of this build. */
async function copyOfProgram(t: Parameters<typeof temporaryDirectory>[0]): Promise<string> {
  const directory = await temporaryDirectory(t)
  await fs.cp(path.join(projectRoot, 'bin'), path.join(directory, 'bin'), { recursive: true })
  await fs.cp(path.join(projectRoot, 'dist/src'), path.join(directory, 'dist/src'), { recursive: true })
  await fs.cp(path.join(projectRoot, 'package.json'), path.join(directory, 'package.json'))
  await fs.symlink(path.join(projectRoot, 'node_modules'), path.join(directory, 'node_modules'))
  return directory
}

test('without a bundle, and with one older than the modules, the modules run', async t => {
  const directory = await copyOfProgram(t)
  const program = path.join(directory, 'bin/orlop.js')
  const env = { XDG_CACHE_HOME: directory }
  const { stdout, stderr } = await run(process.execPath, [program, 'version'], { env })
  t.true(stdout.includes(version), stderr)
  await fs.mkdir(path.join(directory, 'dist/bundle'))
  const stale = path.join(directory, 'dist/bundle/orlop.cjs')
  await fs.writeFile(stale, 'throw new Error("stale")')
  await fs.writeFile(path.join(directory, 'dist/.tsbuildinfo'), '')
  await fs.utimes(stale, 1, 1)
  t.true((await run(process.execPath, [program, 'version'], { env })).stdout.includes(version))
})

/** Runs `orlop images list` of a copy that has packages of its own; the outcome. */
async function listWith(
  t: Parameters<typeof temporaryDirectory>[0],
  packages: (modules: string) => Promise<void>,
) {
  const directory = await temporaryDirectory(t)
  for (const part of ['bin', 'dist/bundle']) {
    await fs.cp(path.join(projectRoot, part), path.join(directory, part), { recursive: true })
  }
  const modules = path.join(directory, 'node_modules')
  await fs.mkdir(modules)
  await packages(modules)
  const program = path.join(directory, 'bin/orlop.js')
  const root = path.join(directory, 'root')
  return run(process.execPath, [program, 'images', 'list', '--root', root], {
    env: { ...cleanEnvironment, XDG_CACHE_HOME: directory },
  })
}

const installed = (name: string): string => path.join(projectRoot, 'node_modules', name)

test('the database is found beside level, by package managers that do not hoist', async t => {
  const { code, stderr } = await listWith(t, modules =>
    fs.symlink(installed('level'), path.join(modules, 'level')),
  )
  t.deepEqual([code, stderr], [0, ''])
})

test('a release of the database other than the bundled one is used whole', async t => {
  const { code, stderr } = await listWith(t, async modules => {
    await fs.mkdir(path.join(modules, 'classic-level'))
    await fs.writeFile(path.join(modules, 'classic-level/package.json'), '{"version":"0.0.1"}')
    await fs.mkdir(path.join(modules, 'level'))
    const level = `process.stderr.write('as it is installed'); module.exports = require(${JSON.stringify(installed('level'))})`
    await fs.writeFile(path.join(modules, 'level/index.js'), level)
  })
  t.deepEqual([code, stderr], [0, 'as it is installed'])
})

test('help of the bundle has the lines that it has in the modules', async t => {
  const directory = await copyOfProgram(t)
  for (const command of ['--help', 'copy --help', 'images prune --help']) {
    const args = command.split(' ')
    const modules = await run(process.execPath, [path.join(directory, 'bin/orlop.js'), ...args])
    t.is((await orlop(args)).stdout, modules.stdout)
  }
})

test('code of a bundle of the same length and time is not used for another', async t => {
  const directory = await temporaryDirectory(t)
  await fs.cp(path.join(projectRoot, 'bin'), path.join(directory, 'bin'), { recursive: true })
  await fs.mkdir(path.join(directory, 'dist/bundle'), { recursive: true })
  const { link } = await import(pathToFileURL(path.join(projectRoot, 'scripts/link.js')).href)
  const file = path.join(directory, 'dist/bundle/orlop.cjs')
  const says = async (what: string): Promise<string> => {
    const text = `function main() { console.log("${what}"); }\nexport {\n  main\n};\n`
    const outputs = { 'main.js': { imports: [], inputs: {} } }
    const made = link({ outputs, texts: new Map([['main.js', text]]), main: 'main.js', commands: {} })
    await fs.writeFile(file, made)
    await fs.utimes(file, 1, 1)
    const env = { XDG_CACHE_HOME: directory }
    return (await run(process.execPath, [path.join(directory, 'bin/orlop.js')], { env })).stdout
  }
  t.is(await says('one'), 'one\n')
  t.is(await says('two'), 'two\n')
})

test('a user without a home directory can run it', async t => {
  const file = path.join(await temporaryDirectory(t), 'homeless.cjs')
  await fs.writeFile(file, `require('node:os').homedir = () => { throw new Error('ENOENT') }`)
  const env = { HOME: undefined, XDG_CACHE_HOME: undefined, NODE_OPTIONS: `--require=${file}` }
  const { code, stdout, stderr } = await orlop(['version'], { env })
  t.deepEqual([code, stderr], [0, ''])
  t.true(stdout.includes(version))
})

test('the bundle is of this build, and says whose code is in it', async t => {
  const { mtimeMs } = await fs.stat(bundle)
  t.true(mtimeMs >= (await fs.stat(path.join(projectRoot, 'dist/.tsbuildinfo'))).mtimeMs)
  // Nothing else is to be read while it is written.
  t.deepEqual(await fs.readdir(path.dirname(bundle)), ['LICENSES.txt', 'orlop.cjs'])
  t.regex(
    await fs.readFile(path.join(path.dirname(bundle), 'LICENSES.txt'), 'utf8'),
    /classic-level \d[\s\S]*commander \d/,
  )
})
