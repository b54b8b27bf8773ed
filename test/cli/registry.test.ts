import test, { type ExecutionContext } from 'ava'
import { descriptorToJson } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { cells, linesOf } from '../support/cli.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { image, index } from '../support/image.ts'
import { testWith } from '../support/programs.ts'
import { publish } from '../support/publish.ts'
import { type RegistryOptions, startRegistry } from '../support/registry.ts'
import { headers, status, wrongBytes } from '../support/registry-faults.ts'
import { type Outcome, orlop } from '../support/run.ts'
import { uploadBlob, uploadManifest } from '../support/upload.ts'

const arm = image('linux/arm64', 'arm')
const amd = image('linux/amd64', 'amd')
const root = index(arm, amd)
const bill = 'application/vnd.example.bill'

/** A registry with an image under three tags, and what refers to it. */
async function setting(t: ExecutionContext, options: RegistryOptions = {}) {
  const registry = await startRegistry(t, options)
  const names = ['1.0', '1.1', 'latest'].map(tag => publish(registry, 'team/app', tag, root))
  const referrer = registry.put('team/app', undefined, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: bill,
    config: { mediaType: mediaTypes.ociEmpty, digest: digestOf('{}'), size: 2 },
    layers: [],
    subject: descriptorToJson(root.desc),
  })
  const run = (args: string): Promise<Outcome> => orlop(args.split(' '))
  return { registry, names, referrer, run, repository: `${registry.host}/team/app`, name: names[0] ?? '' }
}

test('orlop registry tags prints a tag a line, from all pages', async t => {
  const { run, repository, registry } = await setting(t, { pageSize: 2 })
  const tags = ['1.0', '1.1', 'latest']
  t.deepEqual(linesOf(await run(`registry tags ${repository}`)), tags)
  t.deepEqual(linesOf(await run(`registry tags --page-size 1 --last 1.0 ${repository}:1.1`)), tags.slice(1))
  t.true(registry.requests.some(({ path }) => path.endsWith('?n=1&last=1.0')))
  t.deepEqual(JSON.parse((await run(`--json registry tags ${repository}`)).stdout), tags)
})

test('orlop registry tags says what is wrong, and ends as every command does', async t => {
  const { run, repository, registry } = await setting(t)
  t.is((await run(`registry tags --page-size 0 ${repository}`)).code, 2)
  t.is((await run('registry tags Not/A/Name')).code, 2)
  registry.always(/tags/, status(404))
  const { code, stdout, stderr } = await run(`registry tags ${repository}`)
  t.is(code, 3)
  t.is(stdout, '')
  t.regex(stderr, /^orlop: .*team\/app: tags: not found/)
})

test('orlop registry tags says for how long it waits', async t => {
  const { run, repository, registry } = await setting(t)
  registry.next(/tags/, status(429, { 'retry-after': '1' }))
  const { code, stderr } = await run(`registry tags ${repository}`)
  t.is(code, 0)
  t.regex(stderr, /tags: .* limits requests \(429\).*; trying again in 1\.0 s/)
})

test('orlop registry catalog prints a repository a line', async t => {
  const { run, registry } = await setting(t, { pageSize: 1 })
  registry.image('other', '1')
  t.deepEqual(linesOf(await run(`registry catalog ${registry.host}`)), ['other', 'team/app'])
  const { code, stderr } = await run('registry catalog busybox')
  t.is(code, 2)
  t.regex(stderr, /not a host/)
})

test('orlop registry manifest writes the bytes as they are', async t => {
  const { run, name, repository } = await setting(t)
  t.is(digestOf((await run(`registry manifest ${name}`)).stdout), root.desc.digest)
  t.is((await run(`-q registry manifest ${name}`)).stdout, `${root.desc.digest}\n`)
  const one = await run(`registry manifest --platform linux/arm64 ${repository}@${root.desc.digest}`)
  t.is(digestOf(one.stdout), arm.desc.digest)
  const {
    name: called,
    target,
    manifest,
  } = JSON.parse((await run(`--json registry manifest ${name}`)).stdout)
  t.is(called, name)
  t.deepEqual(target, descriptorToJson({ ...root.desc }))
  t.is(manifest.manifests.length, 2)
  t.is((await run(`registry manifest --platform linux/s390x ${name}`)).code, 3)
})

test('orlop registry manifest prints nothing of a manifest that is not what it should be', async t => {
  const { run, name, registry } = await setting(t)
  registry.always(/^GET .*manifests/, wrongBytes)
  const { code, stdout, stderr } = await run(`registry manifest ${name}`)
  t.is(code, 5, stderr)
  t.is(stdout, '')
})

for (const referrers of ['api', undefined] as const)
  test(`orlop registry referrers lists them ${referrers ? 'by the API' : 'by the tag'}`, async t => {
    const { run, name, referrer, registry } = await setting(t, referrers ? { referrers } : {})
    const listed = { ...referrer, artifactType: bill }
    if (!referrers) {
      const list = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [listed] }
      registry.put('team/app', root.desc.digest.replace(':', '-'), list, mediaTypes.ociIndex)
    }
    const [header, row, ...rest] = linesOf(await run(`registry referrers ${name}`))
    t.is(header?.replace(/ +/g, ' '), 'ARTIFACT TYPE DIGEST SIZE MEDIA TYPE')
    t.deepEqual(cells(row).slice(0, 2), [bill, referrer.digest])
    t.deepEqual(rest, [])
    t.is((await run(`-q registry referrers --artifact-type x/y ${name}`)).stdout, '')
    t.deepEqual(JSON.parse((await run(`--json registry referrers ${name}`)).stdout), [listed])
  })

test('orlop content fetch-object writes what a reference points at, and stores nothing', async t => {
  const { run, name, repository } = await setting(t)
  const layer = arm.below[1]
  t.is(digestOf((await run(`content fetch-object ${name}`)).stdout), root.desc.digest)
  t.is((await run(`content fetch-object ${repository}@${layer?.desc.digest}`)).stdout, String(layer?.bytes))
  t.is((await run(`content fetch-object ${repository}:gone`)).code, 3)
})

test('orlop content fetch-blob writes blobs and manifests by digest, one after the other', async t => {
  const { run, repository, registry } = await setting(t)
  const [blob, manifest] = [arm.below[1], arm]
  const digests = `${blob?.desc.digest} ${manifest.desc.digest}`
  const { stdout } = await run(`content fetch-blob ${repository} ${digests}`)
  t.is(stdout, `${blob?.bytes}${manifest.bytes}`)
  const typed = await run(
    `content fetch-blob --media-type ${mediaTypes.ociManifest} ${repository} ${manifest.desc.digest}`,
  )
  t.is(typed.stdout, String(manifest.bytes))
  t.is((await run(`content fetch-blob ${repository} sha256:abc`)).code, 2)
  registry.always(/^GET .*blobs/, wrongBytes)
  t.is((await run(`content fetch-blob ${repository} ${blob?.desc.digest}`)).code, 5)
})

test('names of a registry cannot drive a terminal', async t => {
  const { run, name, registry } = await setting(t, { referrers: 'api' })
  const manifests = [{ ...root.desc, artifactType: 'a\u001b[31m\u009b2Jb' }]
  registry.put('x', 'y', { manifests }, mediaTypes.ociIndex)
  registry.always(/referrers/, exchange => {
    exchange.request.url = '/v2/x/manifests/y'
    headers({})(exchange)
  })
  const { stdout, stderr, code } = await run(`registry referrers ${name}`)
  t.is(code, 0, stderr)
  t.true(stdout.includes('a\\u{1b}[31m\\u{9b}2Jb'))
})

const debian = testWith('docker-registry')

debian("orlop registry delete deletes from Debian's docker-registry, by the digest of the bytes", async t => {
  const { host, url } = await startDockerRegistry(t)
  const run = (args: string): Promise<Outcome> => orlop(args.split(' '))
  for (const { desc, bytes } of arm.below) await uploadBlob(url, 'a', desc.digest, bytes)
  for (const tag of ['v1', 'v2']) await uploadManifest(url, 'a', tag, arm.desc.mediaType, arm.bytes)
  const deleted = `${host}/a@${arm.desc.digest}\n`
  const dry = await run(`registry delete --dry-run ${host}/a:v1`)
  t.is(dry.stdout, deleted)
  t.regex(dry.stderr, /nothing was deleted/)
  t.is((await run(`registry manifest -q ${host}/a:v1`)).code, 0)
  const { code, stdout, stderr } = await run(`registry delete ${host}/a:v1`)
  t.is(code, 0, stderr)
  t.is(stdout, deleted)
  // The other tag pointed at it too.
  t.is((await run(`registry delete ${host}/a:v2`)).code, 3)
})

test('orlop registry delete wants to be told what to delete', async t => {
  const { run, repository, registry } = await setting(t)
  t.is((await run(`registry delete ${repository}`)).code, 2)
  t.is((await run(`registry delete --tag-only ${repository}@${root.desc.digest}`)).code, 2)
  t.deepEqual(registry.requests, [])
})

test('orlop registry delete says when a registry deletes nothing', async t => {
  const { run, name, registry } = await setting(t)
  registry.always(/^DELETE/, status(405, {}, '{"errors":[{"code":"UNSUPPORTED","message":"not here"}]}'))
  const { code, stderr } = await run(`registry delete ${name}`)
  t.is(code, 1)
  t.regex(stderr, /UNSUPPORTED/)
})

test('orlop registry delete --tag-only deletes the tag and nothing else', async t => {
  const { run, name, registry } = await setting(t)
  registry.always(/^DELETE/, status(202))
  const { stdout } = await run(`--json registry delete --tag-only ${name}`)
  t.deepEqual(JSON.parse(stdout), [name])
  t.deepEqual(
    registry.seen(/^DELETE/).map(({ path }) => path),
    ['/v2/team/app/manifests/1.0'],
  )
})

test('orlop takes a request rate and connections for large blobs, and refuses what is none', async t => {
  const { run, name } = await setting(t)
  const asked = await run(`-q registry manifest --request-rate 1000/1s --parallel-ranges 2 ${name}`)
  t.is(asked.stdout, `${root.desc.digest}\n`, asked.stderr)
  t.is((await run(`registry manifest --request-rate 100 ${name}`)).code, 2)
  const { code, stderr } = await run(`registry manifest --parallel-ranges 1 ${name}`)
  t.is(code, 2)
  t.regex(stderr, /connections 1: give 2 or more/)
})
