import fs from 'node:fs/promises'
import path from 'node:path'
import zlib from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { FileSource } from '../../src/archive/file-source.ts'
import { readTar } from '../../src/archive/tar.ts'
import { copyPlaces } from '../support/copying.ts'
import { type FixtureName, type Fixtures, startFixtures } from '../support/fixtures.ts'
import { isInstalled, type Program } from '../support/installed.ts'
import { testWith } from '../support/programs.ts'
import { output } from '../support/run.ts'
import { afterFile, temporaryDirectory } from '../support/tmp.ts'

const programs: readonly Program[] = ['docker-registry', 'skopeo', 'umoci', 'zstd']
const interop = testWith(...programs)
const file = afterFile(test.after.always)
const names: readonly FixtureName[] = ['multi-platform', 'docker-schema2', 'zstd-layers', 'artifact']

let fixtures: Fixtures
test.before(async () => {
  if (programs.every(isInstalled)) fixtures = await startFixtures(file, names)
})

const skopeo = (from: string, to: string, ...flags: readonly string[]): Promise<string> =>
  output('skopeo', ['copy', '-q', '--insecure-policy', '--src-tls-verify=false', ...flags, from, to])

async function same(t: ExecutionContext, ours: string, theirs: string): Promise<void> {
  const names = async (directory: string) => (await fs.readdir(directory)).sort()
  t.deepEqual(await names(ours), await names(theirs))
  for (const name of await names(ours))
    t.deepEqual(await fs.readFile(path.join(ours, name)), await fs.readFile(path.join(theirs, name)), name)
}

for (const name of names) {
  interop(`oci-archive of ${name}: skopeo reads what we write, and we what skopeo writes`, async t => {
    const work = await temporaryDirectory(t)
    const from = `docker://${fixtures.reference(name)}`
    await copyPlaces(from, `oci-archive:${work}/ours.tar:v1`)
    await skopeo(`oci-archive:${work}/ours.tar:v1`, `dir:${work}/a`, '--all')
    await copyPlaces(`oci-archive:${work}/ours.tar`, `dir:${work}/b`)
    await same(t, `${work}/b`, `${work}/a`)
    await skopeo(`dir:${work}/a`, `oci-archive:${work}/theirs.tar:v1`, '--all')
    await copyPlaces(`oci-archive:${work}/theirs.tar:v1`, `dir:${work}/c`)
    await same(t, `${work}/c`, `${work}/a`)
  })
}

interop('oci-archive: the same copy gives the same bytes, and a file that is there is replaced', async t => {
  const work = await temporaryDirectory(t)
  const from = `docker://${fixtures.reference('multi-platform')}`
  const written: Buffer[] = []
  for (const name of ['a.tar', 'b.tar', 'b.tar']) {
    await copyPlaces(from, `oci-archive:${work}/${name}`, { concurrency: 5 })
    written.push(await fs.readFile(`${work}/${name}`))
  }
  t.deepEqual(written[0], written[1])
  t.deepEqual(written[1], written[2])
  t.deepEqual((await fs.readdir(work)).sort(), ['a.tar', 'b.tar'])
})

interop('oci-archive: one that is compressed is read', async t => {
  const work = await temporaryDirectory(t)
  await copyPlaces(`docker://${fixtures.reference('docker-schema2')}`, `oci-archive:${work}/a.tar`)
  await fs.writeFile(`${work}/a.tar.gz`, zlib.gzipSync(await fs.readFile(`${work}/a.tar`)))
  const plain = await copyPlaces(`oci-archive:${work}/a.tar`, `dir:${work}/a`)
  const packed = await copyPlaces(`oci-archive:${work}/a.tar.gz`, `dir:${work}/b`)
  t.deepEqual(packed.target, plain.target)
  await same(t, `${work}/a`, `${work}/b`)
})

for (const name of ['multi-platform', 'docker-schema2'] as const) {
  interop(`docker-archive of ${name}: skopeo reads what we write, and we what skopeo writes`, async t => {
    const work = await temporaryDirectory(t)
    const from = `docker://${fixtures.reference(name)}`
    await copyPlaces(from, `docker-archive:${work}/ours.tar:example.com/a/b:1`, { multiArch: 'system' })
    await skopeo(from, `docker-archive:${work}/theirs.tar:example.com/a/b:1`)
    // Into a layout without a compression, so that the bytes can be compared.
    for (const archive of ['ours', 'theirs']) {
      await skopeo(`docker-archive:${work}/${archive}.tar:example.com/a/b:1`, `dir:${work}/skopeo-${archive}`)
      const { target } = await copyPlaces(
        `docker-archive:${work}/${archive}.tar:example.com/a/b:1`,
        `dir:${work}/orlop-${archive}`,
      )
      t.is(target.mediaType, 'application/vnd.docker.distribution.manifest.v2+json')
    }
    await same(t, `${work}/orlop-ours`, `${work}/orlop-theirs`)
    await same(t, `${work}/skopeo-ours`, `${work}/skopeo-theirs`)
  })
}

interop(
  'docker-archive: what comes out of it is compressed for a layout, and stays plain where digests must',
  async t => {
    const work = await temporaryDirectory(t)
    const from = `docker://${fixtures.reference('docker-schema2')}`
    await copyPlaces(from, `docker-archive:${work}/a.tar`)
    const read = async (directory: string) => {
      const index = JSON.parse(await fs.readFile(`${directory}/index.json`, 'utf8'))
      const blob = async (digest: string) =>
        JSON.parse(await fs.readFile(path.join(directory, 'blobs', ...digest.split(':')), 'utf8'))
      const { layers } = await blob(index.manifests[0].digest)
      return layers.map(({ mediaType }: { readonly mediaType: string }) => mediaType)
    }
    await copyPlaces(`docker-archive:${work}/a.tar`, `oci:${work}/packed`)
    for (const mediaType of await read(`${work}/packed`))
      t.is(mediaType, 'application/vnd.oci.image.layer.v1.tar+gzip')
    await copyPlaces(`docker-archive:${work}/a.tar`, `oci:${work}/kept`, { preserveDigests: true })
    for (const mediaType of await read(`${work}/kept`))
      t.is(mediaType, 'application/vnd.docker.image.rootfs.diff.tar')
  },
)

interop('docker-archive: an index is refused, an archive that is there too, and an artifact', async t => {
  const work = await temporaryDirectory(t)
  const from = `docker://${fixtures.reference('multi-platform')}`
  const to = `docker-archive:${work}/a.tar`
  await t.throwsAsync(copyPlaces(from, to), { code: 'INVALID_ARGUMENT', message: /one platform/ })
  await t.throwsAsync(copyPlaces(`docker://${fixtures.reference('artifact')}`, to), {
    code: 'FAILED_PRECONDITION',
  })
  t.deepEqual(await fs.readdir(work), [])
  await copyPlaces(from, to, { multiArch: 'system' })
  await t.throwsAsync(copyPlaces(from, to, { multiArch: 'system' }), { code: 'ALREADY_EXISTS' })
  const entries: string[] = []
  for await (const { name } of readTar(new FileSource(`${work}/a.tar`))) entries.push(name)
  t.true(
    entries.every(name => /^([0-9a-f]{64}\.(tar|json)|manifest\.json)$/.test(name)),
    entries.join(),
  )
})

/** CI does not install it, and skips this. */
const withPodman: typeof interop = (title, body) =>
  isInstalled('podman') ? interop(title, body) : void test.skip(title, body)

withPodman('podman loads what we write, and we read what podman saves', async t => {
  const work = await temporaryDirectory(t)
  const storage = ['--root', `${work}/root`, '--runroot', `${work}/runroot`, '--storage-driver', 'vfs']
  const podman = (...args: readonly string[]) => output('podman', [...storage, ...args])
  const from = `docker://${fixtures.reference('docker-schema2')}`
  await copyPlaces(from, `docker-archive:${work}/docker.tar:example.com/a/docker:1`)
  await copyPlaces(from, `oci-archive:${work}/oci.tar:example.com/a/oci:1`)
  t.regex(await podman('load', '-q', '-i', `${work}/docker.tar`), /example\.com\/a\/docker:1/)
  t.regex(await podman('load', '-q', '-i', `${work}/oci.tar`), /example\.com\/a\/oci:1/)
  for (const [format, transport] of [
    ['docker-archive', 'docker-archive'],
    ['oci-archive', 'oci-archive'],
  ] as const) {
    await podman('save', '-q', '--format', format, '-o', `${work}/${format}.tar`, 'example.com/a/docker:1')
    await copyPlaces(`${transport}:${work}/${format}.tar`, `dir:${work}/${format}`)
    await skopeo(`${transport}:${work}/${format}.tar`, `dir:${work}/skopeo-${format}`)
    const blobs = async (directory: string) =>
      (await fs.readdir(directory)).filter(name => /^[0-9a-f]{64}$/.test(name)).sort()
    t.deepEqual(await blobs(`${work}/${format}`), await blobs(`${work}/skopeo-${format}`))
  }
})
