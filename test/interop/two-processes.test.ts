import path from 'node:path'
import test from 'ava'
import { blobsOf, factsOf } from '../support/facts.ts'
import { type Fixtures, startFixtures } from '../support/fixtures.ts'
import { isInstalled, type Program } from '../support/installed.ts'
import { testWith } from '../support/programs.ts'
import { startRecordingProxy } from '../support/recording-proxy.ts'
import { orlop, startOrlop } from '../support/run.ts'
import { corruptDigests, storedDigests } from '../support/store-files.ts'
import { afterFile, temporaryDirectory } from '../support/tmp.ts'

const programs: readonly Program[] = ['docker-registry', 'skopeo', 'umoci', 'zstd']
const file = afterFile(test.after.always)
let fixtures: Fixtures
test.before(async () => {
  if (programs.every(isInstalled)) {
    fixtures = await startFixtures(file, ['multi-platform', 'docker-manifest-list'])
  }
})

for (const second of ['multi-platform', 'docker-manifest-list'] as const) {
  testWith(...programs)(`pull of ${second} into a root where a pull runs works`, async t => {
    const root = path.join(await temporaryDirectory(t), 'root')
    const { host } = await startRecordingProxy(t, fixtures.registry.host, { bytesPerSecond: 20_000 })
    const slow = `${host}/fixtures/multi-platform:1`
    const reference = fixtures.reference(second)
    const first = startOrlop(['--root', root, 'images', 'pull', '--all-platforms', slow])
    await until(async () => first.child.exitCode !== null || (await storedDigests(root)).length > 0)
    const pull = ['--root', root, 'images', 'pull', '--all-platforms', reference]
    const other = await orlop(pull)
    t.is(other.code, 0, other.stderr)
    t.is((await first.outcome).code, 0, (await first.outcome).stderr)
    t.is((await orlop(pull)).code, 0)
    const wanted = [...blobsOf(await factsOf(slow)), ...blobsOf(await factsOf(reference))]
    t.deepEqual(await storedDigests(root), [...new Set(wanted.map(({ digest }) => digest))].toSorted())
    t.deepEqual(await corruptDigests(root), [])
  })
}

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 10))
}
