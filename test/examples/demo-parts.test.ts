import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import { buildImage } from '../../examples/demo/image.ts'
import { type DemoRegistry, serveRepositories } from '../../examples/demo/registry.ts'
import { filesOf, tarOf } from '../../examples/demo/tar.ts'
import { digestOf } from '../support/layout.ts'
import { output, projectRoot } from '../support/run.ts'
import { type Teardown, temporaryDirectory } from '../support/tmp.ts'

test('tarOf() writes what tar unpacks', async t => {
  const directory = await temporaryDirectory(t)
  const deep = path.join('a'.repeat(60), 'b'.repeat(60), 'c'.repeat(90))
  const contents = { 'one.txt': 'one', 'sub/empty': '', 'sub/full': 'x'.repeat(512), [deep]: 'deep' }
  const source = path.join(directory, 'source')
  for (const [name, text] of Object.entries(contents)) {
    await fs.mkdir(path.dirname(path.join(source, name)), { recursive: true })
    await fs.writeFile(path.join(source, name), text)
  }
  await fs.chmod(path.join(source, 'one.txt'), 0o755)
  await fs.writeFile(path.join(directory, 'out.tar'), await tarOf(await filesOf(source, 'root')))
  await output('tar', ['-xf', 'out.tar'], { cwd: directory })
  for (const [name, text] of Object.entries(contents)) {
    t.is(await fs.readFile(path.join(directory, 'root', name), 'utf8'), text)
  }
  t.is((await fs.stat(path.join(directory, 'root/one.txt'))).mode & 0o777, 0o755)
})

test('tarOf() gives the same bytes whatever the order', async t => {
  const entries = ['LICENSE', 'package.json', 'src/errors.ts'].map(name => ({
    source: path.join(projectRoot, name),
    name,
  }))
  t.deepEqual(await tarOf(entries), await tarOf(entries.toReversed()))
})

test('tarOf() refuses a name that ustar cannot hold', async t => {
  const source = path.join(projectRoot, 'LICENSE')
  await t.throwsAsync(tarOf([{ source, name: 'n'.repeat(101) }]), { instanceOf: RangeError })
  await t.throwsAsync(tarOf([{ source, name: `${'d/'.repeat(90)}${'n'.repeat(90)}` }]), {
    instanceOf: RangeError,
  })
})

test('buildImage() makes an index whose every reference is there and right', async t => {
  const { blobs, tags } = await buildImage(projectRoot)
  for (const [digest, { bytes }] of blobs) t.is(digestOf(bytes), digest)
  const seen = new Set<string>()
  const visit = (digest: string): void => {
    const blob = blobs.get(digest)
    t.truthy(blob, digest)
    if (blob === undefined || seen.has(digest)) return
    seen.add(digest)
    if (!/(index|manifest)\.v1\+json$/.test(blob.mediaType)) return
    const { manifests = [], layers = [], config } = JSON.parse(Buffer.from(blob.bytes).toString())
    for (const child of [...manifests, ...layers, ...(config ? [config] : [])]) {
      t.is(blobs.get(child.digest)?.bytes.byteLength, child.size)
      visit(child.digest)
    }
  }
  visit(tags.get('latest') ?? '')
  t.is(seen.size, blobs.size)
})

const blob = { mediaType: 'text/plain', bytes: Buffer.from('0123456789') }
const digest = digestOf(blob.bytes)

const serve = async (t: Teardown): Promise<string> => {
  const repository = { blobs: new Map([[digest, blob]]), tags: new Map([['v1', digest]]) }
  const registry: DemoRegistry = await serveRepositories(new Map([['a/b', repository]]))
  t.teardown(async () => registry[Symbol.asyncDispose]())
  return `http://${registry.host}/v2`
}

test('serveRepositories() answers with the manifest of a tag, its type and its digest', async t => {
  const response = await fetch(`${await serve(t)}/a/b/manifests/v1`)
  t.is(response.headers.get('content-type'), 'text/plain')
  t.is(response.headers.get('docker-content-digest'), digest)
  t.is(await response.text(), '0123456789')
})

test('serveRepositories() answers HEAD with the length and no body', async t => {
  const response = await fetch(`${await serve(t)}/a/b/blobs/${digest}`, { method: 'HEAD' })
  t.is(response.headers.get('content-length'), '10')
  t.is(await response.text(), '')
})

const serves = test.macro({
  async exec(t, range: string, status: number, body: string, contentRange: string | null) {
    const response = await fetch(`${await serve(t)}/a/b/blobs/${digest}`, { headers: { range } })
    t.is(response.status, status)
    t.is(response.headers.get('content-range'), contentRange)
    if (status !== 416) t.is(await response.text(), body)
  },
  title: (_, range) => `serveRepositories() serves the range ${range}`,
})

test(serves, 'bytes=0-', 206, '0123456789', 'bytes 0-9/10')
test(serves, 'bytes=4-', 206, '456789', 'bytes 4-9/10')
test(serves, 'bytes=4-5', 206, '45', 'bytes 4-5/10')
test(serves, 'bytes=8-99', 206, '89', 'bytes 8-9/10')
test(serves, 'bytes=10-', 416, '', 'bytes */10')
test(serves, 'bytes=5-4', 416, '', 'bytes */10')
test(serves, 'bytes=-3', 200, '0123456789', null)

const refuses = test.macro({
  async exec(t, at: string, status: number, code: string, method: string = 'GET') {
    const response = await fetch(`${await serve(t)}/${at}`, { method })
    t.is(response.status, status)
    t.deepEqual(await response.json(), {
      errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }],
    })
  },
  title: (_, at: string, status: number, _code: string, method?: string) =>
    `serveRepositories() answers ${status} to ${method ?? 'GET'} ${at}`,
})

test(refuses, 'a/b/manifests/v2', 404, 'MANIFEST_UNKNOWN')
test(refuses, `a/b/blobs/${digestOf(Buffer.from('other'))}`, 404, 'BLOB_UNKNOWN')
test(refuses, 'a/c/manifests/v1', 404, 'NAME_UNKNOWN')
test(refuses, 'nothing', 404, 'NAME_UNKNOWN')
test(refuses, 'a/b/blobs/uploads/', 405, 'UNSUPPORTED', 'POST')
