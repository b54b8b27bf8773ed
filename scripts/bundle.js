// Bundles the command line into one file, dist/bundle/orlop.cjs, which bin/orlop.js starts: npm run bundle
//
// It starts in half the time of the 200 modules it is made of. What is large and often not needed stays outside and is
// loaded when it is used; `level` brings a native addon and cannot be bundled.
import fs from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

const outside = ['level', 'undici', '@bufbuild/protobuf', 'openpgp', 'yaml']
const directory = 'dist/bundle'

fs.rmSync(directory, { recursive: true, force: true })
const { metafile } = await build({
  entryPoints: ['dist/src/cli/main.js'],
  outfile: path.join(directory, 'orlop.cjs'),
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  // The launcher compiles the file as a script, in which import() has no loader; require() takes ES modules as well.
  supported: { 'dynamic-import': false },
  external: outside.flatMap(name => [name, `${name}/*`]),
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
})
fs.writeFileSync(path.join(directory, 'LICENSES.txt'), licences(Object.keys(metafile.inputs)))

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
