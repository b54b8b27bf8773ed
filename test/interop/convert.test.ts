import test from 'ava'
import { type FixtureName, type Fixtures, startFixtures } from '../support/fixtures.ts'
import { isInstalled, type Program } from '../support/installed.ts'
import { testWith } from '../support/programs.ts'
import { orlop, output } from '../support/run.ts'
import { type Serving, startServing } from '../support/serving.ts'
import { afterFile } from '../support/tmp.ts'

const programs: readonly Program[] = ['docker-registry', 'skopeo', 'umoci', 'zstd', 'ctr']
const interop = testWith(...programs)
const file = afterFile(test.after.always)
const names: readonly FixtureName[] = [
  'multi-platform',
  'docker-schema2',
  'docker-manifest-list',
  'zstd-layers',
]

let fixtures: Fixtures
let serving: Serving
test.before(async () => {
  if (!programs.every(isInstalled)) return
  fixtures = await startFixtures(file, names)
  serving = await startServing(file)
  for (const name of names) {
    const reference = fixtures.reference(name)
    await output('ctr', [
      '-a',
      serving.address,
      'content',
      'fetch',
      '--plain-http',
      '--all-platforms',
      reference,
    ])
  }
})

/** The digest that an image points at, by what a command lists. */
async function digestOf(reference: string): Promise<string> {
  const listed = await output('ctr', ['-a', serving.address, 'images', 'ls', `name==${reference}`])
  return listed.split('\n')[1]?.split(/ +/)[2] ?? ''
}

const cases: readonly (readonly [FixtureName, string])[] = [
  ['multi-platform', '--uncompress --all-platforms'],
  ['multi-platform', '--uncompress --platform linux/arm64'],
  ['multi-platform', '--uncompress --platform linux/arm64 --platform linux/amd64'],
  ['docker-schema2', '--oci'],
  ['docker-schema2', '--uncompress'],
  ['docker-schema2', '--uncompress --oci'],
  ['docker-manifest-list', '--oci --all-platforms'],
  ['docker-manifest-list', '--uncompress --oci --platform linux/amd64'],
  ['docker-manifest-list', '--uncompress --all-platforms'],
  ['zstd-layers', '--uncompress --all-platforms'],
]

for (const [at, [name, flags]] of cases.entries()) {
  interop(`images convert ${flags} of ${name} makes byte for byte what ctr makes`, async t => {
    const reference = fixtures.reference(name)
    const [theirs, ours] = [`example.com/theirs:${at}`, `example.com/ours:${at}`]
    const words = flags.split(' ')
    await output('ctr', ['-a', serving.address, 'images', 'convert', ...words, reference, theirs])
    const { code, stdout, stderr } = await orlop([
      ...['--root', serving.root, 'images', 'convert', ...words, reference, ours],
    ])
    t.is(code, 0, stderr)
    t.is(stdout.trim(), await digestOf(theirs))
    t.is(await digestOf(ours), await digestOf(theirs))
    const check = await orlop(['--root', serving.root, 'images', 'check', '--all-platforms', '--deep', ours])
    t.is(check.code, 0, check.stdout)
  })
}
