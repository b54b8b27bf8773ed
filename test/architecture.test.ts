import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'

/** Low to high. A file may import its own folder or a lower line; see docs/architecture.md. */
const layers: ReadonlyArray<readonly string[]> = [
  ['errors.ts', 'numbers.ts', 'options.ts', 'pace.ts', 'version.ts', 'oci', 'filters'],
  ['content'],
  ['metadata'],
  ['handlers'],
  ['images', 'gc'],
  ['remotes', 'archive', 'policy', 'transports', 'backends'],
  ['fsck'],
  ['runtime'],
  ['service', 'cli'],
  ['index.ts'],
]

/** Folders of one line that may look at each other, from → to. */
const neighbours: ReadonlySet<string> = new Set([
  'oci → errors.ts',
  'oci → options.ts',
  'filters → errors.ts',
  'pace.ts → options.ts',
  'transports → archive',
  'transports → remotes',
  'cli → service',
])

/** The files through which each package comes in; a folder lets in all its files. */
const doors: Readonly<Record<string, readonly string[]>> = {
  level: ['metadata/level-kv.ts'],
  undici: ['remotes/registry/client.ts'],
  multiformats: ['oci/multihash.ts'],
  'p-queue': ['handlers/dispatch.ts', 'remotes/registry/rate.ts'],
  fzstd: ['images/decompress.ts'],
  'smol-toml': ['remotes/registry/toml.ts'],
  yaml: ['remotes/registry/yaml.ts'],
  openpgp: ['policy/openpgp.ts'],
  commander: ['cli/'],
  'cli-progress': ['cli/progress-bars.ts'],
  '@bufbuild/protobuf': ['service/'],
}

const source = 'src'
/** Made from proto/ by `npm run proto`. */
const generated = 'service/gen/'
const files = fs
  .readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => name.replaceAll(path.sep, '/'))
  .filter(name => !name.startsWith(generated))
const part = (file: string): string => file.split('/')[0] ?? ''
const rank = (file: string): number => layers.findIndex(layer => layer.includes(part(file)))
const textOf = (file: string): string => fs.readFileSync(path.join(source, file), 'utf8')

/** What a file imports, dynamic imports and types too: `./x.ts` as a path under src, packages by name. */
const importsOf = (file: string): readonly string[] =>
  [...textOf(file).matchAll(/(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)'([^']+)'/gm)].map(([, from = '']) =>
    from.startsWith('.') ? path.posix.join(path.posix.dirname(file), from) : from,
  )

const isOurs = (name: string): boolean => files.includes(name)

test('the sources were found', t => {
  t.true(files.length > 15, `${files.length} files`)
})

for (const file of files) {
  test(`${file} looks down only, through its doors`, t => {
    t.not(rank(file), -1, 'in no layer')
    for (const from of importsOf(file)) {
      if (from.startsWith('node:')) continue
      if (from.startsWith(generated)) {
        t.is(part(file), 'service', `imports ${from}`)
        continue
      }
      if (isOurs(from)) {
        t.true(rank(from) <= rank(file), `imports ${from}, which is above it`)
        const sameLine = rank(from) === rank(file) && part(from) !== part(file)
        t.true(!sameLine || neighbours.has(`${part(file)} → ${part(from)}`), `imports its neighbour ${from}`)
        if (path.posix.basename(file) !== 'index.ts') {
          t.not(path.posix.basename(from), 'index.ts', `imports ${from} instead of a file`)
        }
        continue
      }
      const name = from.startsWith('@') ? from.split('/').slice(0, 2).join('/') : part(from)
      const allowed = doors[name]?.some(door => (door.endsWith('/') ? file.startsWith(door) : file === door))
      t.true(allowed ?? false, `imports ${from}, whose doors are ${doors[name]?.join(', ') ?? 'none'}`)
    }
  })
}

test('no file imports itself, however far around', t => {
  const state = new Map<string, 'open' | 'done'>()
  const cycles: string[] = []
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      cycles.push([...trail.slice(trail.indexOf(file)), file].join(' → '))
      return
    }
    state.set(file, 'open')
    for (const next of importsOf(file).filter(isOurs)) visit(next, [...trail, file])
    state.set(file, 'done')
  }
  for (const file of files) visit(file, [])
  t.deepEqual(cycles, [])
})

test('no published module awaits at its top level', t => {
  for (const file of files) t.false(/^(?:const .*= )?await /m.test(textOf(file)), file)
})

test('nothing in the library prints, or ends the process', t => {
  for (const file of files.filter(name => part(name) !== 'cli')) {
    t.false(/\bconsole\.|process\.(?:exit|stdout|stderr)\b/.test(textOf(file)), file)
  }
})

test('every export has a doc comment', t => {
  for (const file of files.filter(name => path.posix.basename(name) !== 'index.ts')) {
    const lines = textOf(file).split('\n')
    lines.forEach((line, at) => {
      if (!/^export (?:async )?(?:function|class|interface|type|const)\b/.test(line)) return
      t.true((lines[at - 1] ?? '').trimEnd().endsWith('*/'), `${file}:${at + 1} ${line.slice(0, 60)}`)
    })
  }
})

test('the command line loads gRPC only with --address, and the service only with its first client', t => {
  const reached = new Set<string>()
  const visit = (file: string): void => {
    if (reached.has(file)) return
    reached.add(file)
    for (const [, from = ''] of textOf(file).matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)'/gm)) {
      t.false(/^@(?:grpc|bufbuild)\//.test(from), `${file} loads ${from}`)
      const next = path.posix.join(path.posix.dirname(file), from)
      if (from.startsWith('.') && isOurs(next)) visit(next)
    }
  }
  visit('cli/main.ts')
  visit('cli/open.ts')
  visit('cli/serve.ts')
  t.true(reached.has('service/socket.ts'))
})

test('every folder with an index can be imported by its name, and nothing else can', t => {
  const { exports } = JSON.parse(fs.readFileSync('package.json', 'utf8'))
  const names: Readonly<Record<string, string>> = { remotes: 'registry' }
  const folders = files
    .filter(file => /^[a-z]+\/index\.ts$/.test(file))
    .map(part)
    .filter(folder => folder !== 'filters')
  t.deepEqual(
    Object.keys(exports).sort(),
    ['.', './package.json', ...folders.map(folder => `./${names[folder] ?? folder}`)].sort(),
  )
})
