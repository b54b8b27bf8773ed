import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { ContentStore, Target } from '../../src/content/types.ts'
import { Runtime } from '../../src/runtime/runtime.ts'
import { remoteStore } from '../../src/service/client/store.ts'
import { serve } from '../../src/service/serve.ts'
import { randomBytes, targetOf } from '../support/bytes.ts'
import { temporaryDirectory } from '../support/tmp.ts'

interface Blob {
  readonly bytes: Uint8Array
  readonly target: Target
}

/** A store on disk that is served, with blobs of a few megabytes. */
async function serveBlobs(t: ExecutionContext) {
  const directory = await temporaryDirectory(t)
  const address = path.join(directory, 's.sock')
  const runtime = await Runtime.open({ root: path.join(directory, 'root') })
  const service = await serve({ store: runtime, log: line => t.log(line) }, { address })
  t.teardown(async () => {
    await service.close(1000)
    await runtime.close()
  })
  const connect = (): ContentStore => {
    const store = remoteStore(address)
    t.teardown(() => store[Symbol.asyncDispose]())
    return store.scope('test').content
  }
  const { content } = runtime.scope('test')
  const blobs: Blob[] = []
  for (const seed of [1, 2, 3, 4]) {
    const bytes = randomBytes(seed, 4_000_000 + seed)
    const target = targetOf(bytes)
    await using writer = await content.writer({ ref: target.digest })
    await writer.write(bytes)
    await writer.commit({ labels: { 'containerd.io/gc.root': 'test' } })
    blobs.push({ bytes, target })
  }
  return { connect, blobs }
}

/** Reads a blob, to the end or up to `length`, and gives how many bytes were right before the first that was not. */
async function matching(content: ContentStore, { bytes, target }: Blob, length: number): Promise<number> {
  let at = 0
  for await (const chunk of content.read(target)) {
    if (!chunk.every((byte, index) => byte === bytes[at + index])) return at
    at += chunk.byteLength
    if (at >= length) break
  }
  return Math.min(at, length)
}

test('readers at one time, of whom some leave early, each get the bytes of their own blob', async t => {
  const { connect, blobs } = await serveBlobs(t)
  const clients = [connect(), connect()]
  for (let round = 0; round < 3; round++) {
    const reads = clients.flatMap(content =>
      blobs.flatMap(blob => [blob.bytes.byteLength, 1, 700_000].map(length => ({ content, blob, length }))),
    )
    const right = await Promise.all(reads.map(({ content, blob, length }) => matching(content, blob, length)))
    t.deepEqual(
      right,
      reads.map(({ length }) => length),
    )
  }
})

test('chunks that a reader keeps are not written to again', async t => {
  const { connect, blobs } = await serveBlobs(t)
  const content = connect()
  for (const { bytes, target } of blobs) {
    const chunks: Uint8Array[] = []
    for await (const chunk of content.read(target)) chunks.push(chunk)
    await matching(content, { bytes, target }, bytes.byteLength)
    t.true(Buffer.concat(chunks).equals(bytes))
  }
})
