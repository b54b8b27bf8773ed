import { PassThrough } from 'node:stream'
import test from 'ava'
import { createProgress } from '../../src/cli/progress.ts'
import { jsonLines, lineOf, plainLines } from '../../src/cli/progress-lines.ts'
import { descriptorOf } from '../../src/oci/descriptor.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import type { BlobEvent, ProgressEvent } from '../../src/remotes/progress.ts'

const target = descriptorOf(mediaTypes.ociLayerGzip, Buffer.alloc(2048))
const blob = (type: BlobEvent['type'], offset: number, reused = 0): BlobEvent => ({
  type,
  target,
  ref: 'layer-x',
  offset,
  total: 2048,
  fetched: offset - reused,
  reused,
})

const written = async (stream: PassThrough): Promise<string> => {
  stream.end()
  return Buffer.concat(await stream.toArray()).toString()
}

test('plainLines() writes one line when a blob begins and one when it is done', async t => {
  const stream = new PassThrough()
  const { onProgress } = plainLines(stream)
  for (const event of [
    blob('waiting', 0),
    blob('downloading', 1024, 1024),
    blob('downloading', 2048, 1024),
  ]) {
    onProgress(event)
  }
  onProgress(blob('complete', 2048, 1024))
  t.deepEqual((await written(stream)).trim().split('\n'), [
    `layer ${target.digest.slice(0, 19)}: downloading 2.0 KiB, going on at 1.0 KiB`,
    `layer ${target.digest.slice(0, 19)}: complete`,
  ])
})

test('plainLines() writes nothing that drives a terminal', async t => {
  const stream = new PassThrough()
  plainLines(stream).onProgress({ type: 'resolving', reference: 'x\u001b[2J' })
  t.is(await written(stream), 'resolving x\\u{1b}[2J\n')
})

test('jsonLines() writes one object a line, and byte counts not more often than it says', async t => {
  const stream = new PassThrough()
  let now = 0
  const { onProgress } = jsonLines(stream, () => now)
  onProgress(blob('downloading', 1))
  onProgress(blob('downloading', 2))
  now = 1000
  onProgress(blob('downloading', 3))
  onProgress(blob('complete', 2048))
  const lines = (await written(stream))
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  t.deepEqual(
    lines.map(({ type, offset }) => [type, offset]),
    [
      ['downloading', 1],
      ['downloading', 3],
      ['complete', 2048],
    ],
  )
  t.is(lines[0].digest, target.digest)
})

test('lineOf() says what is waited for, and for how long', t => {
  const event: ProgressEvent = {
    type: 'retry',
    what: 'docker.io',
    attempt: 1,
    delayMs: 41_000,
    reason: 'HTTP 429',
  }
  t.is(lineOf(event), 'docker.io: HTTP 429; trying again in 41.0 s')
})

test('createProgress() is silent when quiet, unless a mode was asked for', async t => {
  const [quiet, asked] = [new PassThrough(), new PassThrough()]
  const silent = await createProgress('auto', true, quiet)
  silent.onProgress(blob('complete', 1))
  silent.end()
  const plain = await createProgress('plain', true, asked)
  plain.onProgress(blob('complete', 1))
  t.is(await written(quiet), '')
  t.not(await written(asked), '')
})

test('createProgress() draws bars on a terminal, and leaves a line for each blob', async t => {
  const stream = Object.assign(new PassThrough(), {
    isTTY: true,
    columns: 120,
    rows: 30,
    cursorTo: () => true,
  })
  const bars = await createProgress('tty', false, stream)
  bars.onProgress(blob('downloading', 1024))
  bars.onProgress(blob('complete', 2048))
  bars.end()
  t.regex(await written(stream), /layer sha256:/)
})
