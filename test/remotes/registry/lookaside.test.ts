import fs from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import type { Signature, SimpleSignature } from '../../../src/images/signature.ts'
import { digestOf, encodedOf } from '../../../src/oci/digest.ts'
import { HttpClient } from '../../../src/remotes/registry/client.ts'
import { Lookaside } from '../../../src/remotes/registry/lookaside.ts'
import { defaultRetryPolicy } from '../../../src/remotes/registry/retry.ts'
import { startRecorder } from '../../support/registry.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

const digest = digestOf('a manifest')
const folder = `team/app@sha256=${encodedOf(digest)}`

const simple = (text: string): SimpleSignature => ({
  format: 'simple-signing',
  bytes: Buffer.concat([Buffer.of(0xa3), Buffer.from(text)]),
})

const lookaside = (t: ExecutionContext): Lookaside => {
  const client = new HttpClient()
  t.teardown(() => client.close())
  const policy = { ...defaultRetryPolicy, sleep: async () => undefined }
  return new Lookaside({ send: (request, options) => client.send(request, options), policy })
}

const texts = (signatures: readonly Signature[]): readonly string[] =>
  signatures.map(one =>
    one.format === 'simple-signing' ? Buffer.from(one.bytes.subarray(1)).toString() : 'sigstore',
  )

const directory = async (t: ExecutionContext, files: readonly (string | Uint8Array)[]) => {
  const root = await temporaryDirectory(t)
  await fs.mkdir(path.join(root, folder), { recursive: true })
  for (const [at, content] of files.entries())
    await fs.writeFile(
      path.join(root, folder, `signature-${at + 1}`),
      typeof content === 'string' ? simple(content).bytes : content,
    )
  return { root, base: pathToFileURL(root) }
}

test('Lookaside reads the files of a manifest up to the first that is missing', async t => {
  const { root, base } = await directory(t, ['one', 'two', 'three'])
  t.deepEqual(texts(await lookaside(t).read(base, 'team/app', digest)), ['one', 'two', 'three'])
  await fs.rm(path.join(root, folder, 'signature-2'))
  t.deepEqual(texts(await lookaside(t).read(base, 'team/app', digest)), ['one'])
  t.deepEqual(await lookaside(t).read(base, 'team/other', digest), [])
  t.deepEqual(await lookaside(t).read(pathToFileURL('/nonexistent'), 'team/app', digest), [])
})

test('Lookaside takes a base with a slash behind it, and one with blanks', async t => {
  const { root, base } = await directory(t, ['one'])
  t.deepEqual(texts(await lookaside(t).read(new URL(`${base.href}/`), 'team/app', digest)), ['one'])
  const blank = path.join(root, 'with blank')
  await fs.cp(path.join(root, 'team'), path.join(blank, 'team'), { recursive: true })
  t.deepEqual(texts(await lookaside(t).read(pathToFileURL(blank), 'team/app', digest)), ['one'])
})

test('Lookaside reads signatures of other formats', async t => {
  const body = { mimeType: 'x/y', payload: Buffer.from('p').toString('base64'), annotations: { a: 'b' } }
  const { base } = await directory(t, [Buffer.from(`\0sigstore-json\n${JSON.stringify(body)}`)])
  t.deepEqual(await lookaside(t).read(base, 'team/app', digest), [
    { format: 'sigstore', mediaType: 'x/y', payload: Buffer.from('p'), annotations: { a: 'b' } },
  ])
})

test('Lookaside refuses what is no signature, no file or too large', async t => {
  const junk = await directory(t, [Buffer.from('<html>')])
  await t.throwsAsync(lookaside(t).read(junk.base, 'team/app', digest), {
    code: 'INVALID_ARGUMENT',
    message: /signature-1: unrecognized signature format/,
  })
  const large = await directory(t, [Buffer.alloc(1024 * 1024 + 1, 0x80)])
  await t.throwsAsync(lookaside(t).read(large.base, 'team/app', digest), { code: 'RESOURCE_EXHAUSTED' })
  const odd = await directory(t, [])
  await fs.mkdir(path.join(odd.root, folder, 'signature-1'))
  await t.throwsAsync(lookaside(t).read(odd.base, 'team/app', digest), {
    code: 'FAILED_PRECONDITION',
    message: /not a file/,
  })
})

test('Lookaside reads 128 signatures and no more', async t => {
  const { root, base } = await directory(
    t,
    Array.from({ length: 128 }, (_, at) => `${at}`),
  )
  t.is((await lookaside(t).read(base, 'team/app', digest)).length, 128)
  await fs.writeFile(path.join(root, folder, 'signature-129'), simple('x').bytes)
  await t.throwsAsync(lookaside(t).read(base, 'team/app', digest), {
    code: 'RESOURCE_EXHAUSTED',
    message: /more than 128 signatures/,
  })
})

test('Lookaside writes signatures behind those that are there, each once', async t => {
  const { root, base } = await directory(t, ['one'])
  await lookaside(t).write(base, 'team/app', digest, [simple('two'), simple('one'), simple('three')])
  await lookaside(t).write(base, 'team/app', digest, [simple('two')])
  t.deepEqual(texts(await lookaside(t).read(base, 'team/app', digest)), ['one', 'two', 'three'])
  t.deepEqual((await fs.readdir(path.join(root, folder))).toSorted(), [
    'signature-1',
    'signature-2',
    'signature-3',
  ])
})

test('Lookaside makes the directories it writes to', async t => {
  const root = await temporaryDirectory(t)
  const base = pathToFileURL(path.join(root, 'a/b'))
  await lookaside(t).write(base, 'team/app', digest, [simple('one')])
  t.deepEqual(texts(await lookaside(t).read(base, 'team/app', digest)), ['one'])
})

test('Lookaside cannot be written to by HTTP', async t => {
  await t.throwsAsync(lookaside(t).write(new URL('https://look.io/x'), 'team/app', digest, [simple('one')]), {
    code: 'FAILED_PRECONDITION',
    message: /lookaside https:\/\/look\.io\/x: cannot be written to; name a directory as lookaside-staging/,
  })
})

test('Lookaside reads by HTTP until 404, tries again where that may help, and sends no credentials', async t => {
  let busy = 1
  const server = await startRecorder(t, ({ request, response }) => {
    const number = /^\/base\/team\/app@sha256=[0-9a-f]{64}\/signature-(\d)$/.exec(request.url ?? '')?.[1]
    if (busy-- > 0) response.writeHead(503).end()
    else if (number === undefined || Number(number) > 2) response.writeHead(404).end()
    else response.writeHead(200).end(simple(number).bytes)
  })
  const base = new URL(`http://user:secret@${server.host}/base`)
  t.deepEqual(texts(await lookaside(t).read(base, 'team/app', digest)), ['1', '2'])
  t.is(server.requests.length, 4)
  for (const { headers } of server.requests) t.is(headers.authorization, undefined)
})

test('Lookaside names the place, and no secret, when it is refused', async t => {
  const server = await startRecorder(t, ({ response }) => response.writeHead(403).end())
  const base = new URL(`http://user:secret@${server.host}/base?token=secret`)
  const error = await t.throwsAsync(lookaside(t).read(base, 'team/app', digest), {
    code: 'PERMISSION_DENIED',
  })
  t.regex(error.message, new RegExp(`signature http://${server.host}/base/team/app@sha256=.*/signature-1`))
  t.notRegex(error.message, /secret/)
})

test('CVE-2020-1702: Lookaside reads no more of a body than a signature may have', async t => {
  const server = await startRecorder(t, ({ response }) => {
    response.writeHead(200)
    const chunk = Buffer.alloc(1024 * 1024, 0x80)
    const more = (): void => {
      while (!response.destroyed && response.write(chunk));
    }
    response.on('drain', more)
    more()
  })
  await t.throwsAsync(lookaside(t).read(new URL(`http://${server.host}`), 'team/app', digest), {
    code: 'RESOURCE_EXHAUSTED',
  })
})

test('Lookaside stops when it is told to', async t => {
  const server = await startRecorder(t, () => {})
  const stop = new AbortController()
  const reading = lookaside(t).read(new URL(`http://${server.host}`), 'team/app', digest, {
    signal: stop.signal,
  })
  setImmediate(() => stop.abort(new Error('enough')))
  await t.throwsAsync(reading, { message: 'enough' })
})
