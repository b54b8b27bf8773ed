// Bundles the command line into one file, dist/bundle/orlop.cjs, which bin/orlop.js starts: npm run bundle
//
// It starts in a fraction of the time of the 250 modules it is made of. The file is a row of chunks, each a function: what
// a command needs is read and compiled, and the rest is not touched. What is large and often not needed stays outside, and
// is loaded when it is used.
import fs from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'
import { commandNames } from '../dist/src/cli/nouns.js'
import { link } from './link.js'
import { commander, level, undici } from './packages.js'

const outside = ['@bufbuild/protobuf', 'openpgp', 'yaml']
const directory = 'dist/bundle'

const { metafile, outputFiles } = await build({
  entryPoints: ['src/cli/main.ts'],
  outdir: directory,
  write: false,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  external: outside.flatMap(name => [name, `${name}/*`]),
  plugins: [commander, level, undici],
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
})
const texts = new Map(outputFiles.map(({ path: file, text }) => [path.relative('.', file), text]))
const main = path.join(directory, 'main.js')

fs.rmSync(directory, { recursive: true, force: true })
fs.mkdirSync(directory, { recursive: true })
fs.writeFileSync(path.join(directory, 'LICENSES.txt'), licences(Object.keys(metafile.inputs)))
// In one step: a command may be starting at this moment.
fs.writeFileSync(
  path.join(directory, 'orlop.new'),
  link({ outputs: metafile.outputs, texts, main, commands: commandNames() }),
)
fs.renameSync(path.join(directory, 'orlop.new'), path.join(directory, 'orlop.cjs'))

/** The licences of the packages whose code is in the bundle, which want to go with it. */
function licences(inputs) {
  const packages = new Set(
    inputs.flatMap(input => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []),
  )
  const texts = [...packages].sort().map(directory => {
    const { name, version, license } = JSON.parse(
      fs.readFileSync(path.join(directory, 'package.json'), 'utf8'),
    )
    const file = fs.readdirSync(directory).find(entry => /^licen[cs]e/i.test(entry))
    if (file === undefined) throw new Error(`${directory}: no licence file; keep it out of the bundle`)
    return `${name} ${version} (${license})\n\n${fs.readFileSync(path.join(directory, file), 'utf8').trim()}\n`
  })
  return `orlop.cjs has code of these packages.\n\n${texts.join(`\n${'-'.repeat(72)}\n\n`)}`
}
