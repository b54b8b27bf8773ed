import process from 'node:process'
import type { ImageStore } from '../../src/images/types.ts'
import { digestOf } from '../../src/oci/digest.ts'
import type { Scope } from '../../src/runtime/runtime.ts'
import { Runtime } from '../../src/runtime/runtime.ts'
import { remoteStore } from '../../src/service/client/store.ts'
import { inProcess } from '../lib/measure.ts'

/**
 * Image records through the library or a socket, and what that took as JSON:
 *
 *     node dist/bench/inside/records.js library|socket <root or socket> create|get|list <count> <at once>
 *
 * `create` makes images that were not there, each durable when it resolves; `get` and `list` make them before they start.
 */
async function main([
  how = '',
  where = '',
  what = '',
  total = '',
  atOnce = '',
]: readonly string[]): Promise<void> {
  const count = Number(total)
  const run = async (scope: Scope): Promise<void> => {
    const { images } = scope
    const target = await manifest(scope)
    const create = (prefix: string, at: number) =>
      images.create({ name: `bench/${prefix}-${at}:latest`, target })
    const prefix = `${process.pid}`
    if (what !== 'create') await times(count, 32, at => create(prefix, at))
    const work: Readonly<Record<string, () => Promise<number>>> = {
      create: () => times(count, Number(atOnce), at => create(prefix, at)),
      get: () => times(count, Number(atOnce), at => images.get(`bench/${prefix}-${at}:latest`)),
      list: () => listed(images),
    }
    const chosen = work[what]
    if (!chosen) throw new Error(`${what}: not one of ${Object.keys(work)}`)
    const result = await inProcess(chosen)
    process.stdout.write(`${JSON.stringify(result)}\n`)
    if (how === 'socket') await times(count, 32, at => images.delete(`bench/${prefix}-${at}:latest`))
  }
  if (how === 'library') {
    await using runtime = await Runtime.open({ root: where })
    await run(runtime.scope('default'))
  } else {
    await using store = remoteStore(where)
    await run(store.scope('default'))
  }
}

async function listed(images: ImageStore): Promise<number> {
  let count = 0
  for await (const _ of images.list()) count++
  return count
}

/** A manifest that is there, or containerd would not take the image. */
async function manifest({ content }: Scope) {
  const bytes = Buffer.from('{"schemaVersion":2}')
  const digest = digestOf(bytes)
  try {
    await using writer = await content.writer({ ref: digest, expected: { digest, size: bytes.byteLength } })
    await writer.write(bytes)
    await writer.commit({ digest, size: bytes.byteLength, labels: { 'containerd.io/gc.root': 'bench' } })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ALREADY_EXISTS')) throw error
  }
  return { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: bytes.byteLength }
}

async function times(count: number, atOnce: number, work: (at: number) => Promise<unknown>): Promise<number> {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) await work(at)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return count
}

await main(process.argv.slice(2))
