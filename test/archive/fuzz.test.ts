import fs from 'node:fs/promises'
import path from 'node:path'
import zlib from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { readTar } from '../../src/archive/tar.ts'
import { isOrlopError } from '../../src/errors.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { load } from '../../src/runtime/import.ts'
import { dockerEntries, layerTar, layoutTar, loadScope, named } from '../support/archives.ts'
import { bytesIn, recordsIn } from '../support/collected.ts'
import { blob, collect, config, index, layer, manifest, on } from '../support/image.ts'
import { isInstalled } from '../support/installed.ts'
import { output } from '../support/run.ts'
import { inChunks, rawTar } from '../support/tar.ts'
import { temporaryDirectory } from '../support/tmp.ts'

/** An image whose layer is a real one. */
const real = (platform: string, text: string) => {
  const tar = layerTar(text)
  const diffIds = [digestOf(tar)]
  return on(platform, manifest(config({ platform, diffIds }), layer(zlib.gzipSync(tar))))
}

/** Archives to begin with: ours, and those that skopeo makes of them. */
async function seeds(t: ExecutionContext): Promise<readonly Buffer[]> {
  const multi = index(real('linux/amd64', 'one'), real('linux/arm64', 'two'))
  const layout = layoutTar(named(multi, 'a.b/multi:1'), named(real('linux/amd64', 'three'), 'a.b/one:1'))
  const docker = rawTar(...dockerEntries())
  const dir = await temporaryDirectory(t)
  const ours = path.join(dir, 'ours.tar')
  await fs.writeFile(ours, layoutTar(named(real('linux/amd64', 'three'), 'a.b/one:1')))
  const made: Buffer[] = []
  for (const format of isInstalled('skopeo') ? ['oci-archive', 'docker-archive'] : []) {
    const file = path.join(dir, `${format}.tar`)
    await output('skopeo', [
      'copy',
      '-q',
      '--insecure-policy',
      `oci-archive:${ours}`,
      `${format}:${file}:a.b/c:1`,
    ])
    made.push(await fs.readFile(file))
  }
  return [layout, docker, ...made, zlib.gzipSync(layout, { level: 1 })]
}

type Mutation = (bytes: Buffer) => Buffer

const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const blockAt = (bytes: Buffer, where: number): number => Math.floor((where * bytes.byteLength) / 512) * 512

/** Sets bytes of one block and makes its checksum right again, so that what follows is looked at. */
const patchHeader =
  (where: number, field: number, value: Uint8Array): Mutation =>
  bytes => {
    const copy = Buffer.from(bytes)
    const block = copy.subarray(blockAt(copy, where), blockAt(copy, where) + 512)
    if (block.byteLength < 512) return copy
    Buffer.from(value).copy(block, field)
    block.fill(' ', 148, 156)
    const sum = block.reduce((total, byte) => total + byte, 0)
    block.write(`${sum.toString(8).padStart(6, '0')}\0`, 148, 'latin1')
    return copy
  }

const texts = ['../x', '/etc/passwd', 'index.json', 'manifest.json', 'oci-layout', 'blobs/sha256/x', '']
const fields = [0, 100, 124, 136, 156, 157, 257, 329, 345, 482]
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(at, fc.nat(255)).map(
    ([where, byte]): Mutation =>
      bytes => {
        const copy = Buffer.from(bytes)
        copy[Math.floor(where * copy.byteLength)] = byte
        return copy
      },
  ),
  at.map(
    (where): Mutation =>
      bytes =>
        bytes.subarray(0, Math.floor(where * bytes.byteLength)),
  ),
  fc.tuple(at, at).map(
    ([from, to]): Mutation =>
      bytes => {
        const block = bytes.subarray(blockAt(bytes, from), blockAt(bytes, from) + 512)
        const place = blockAt(bytes, to)
        return Buffer.concat([bytes.subarray(0, place), block, bytes.subarray(place)])
      },
  ),
  at.map(
    (where): Mutation =>
      bytes =>
        Buffer.concat([
          bytes.subarray(0, blockAt(bytes, where)),
          bytes.subarray(blockAt(bytes, where) + 512),
        ]),
  ),
  fc
    .tuple(at, fc.constantFrom(...fields), fc.uint8Array({ maxLength: 12 }))
    .map(([where, field, value]) => patchHeader(where, field, value)),
  fc
    .tuple(at, fc.constantFrom('1', '2', '3', '5', 'x', 'g', 'L', 'K', 'S', '7', 'Q'))
    .map(([where, flag]) => patchHeader(where, 156, Buffer.from(flag))),
  fc
    .tuple(at, fc.constantFrom(...texts))
    .map(([where, text]) => patchHeader(where, 0, Buffer.concat([Buffer.from(text), Buffer.alloc(1)]))),
  fc.tuple(at, fc.constantFrom('"', '}', '0', 'sha512:', '..', '\0', '{"a":')).map(
    ([where, text]): Mutation =>
      bytes => {
        const copy = Buffer.from(bytes)
        copy.write(text, Math.floor(where * copy.byteLength))
        return copy
      },
  ),
)

const allowed = new Set([
  ...['INVALID_ARGUMENT', 'DATA_LOSS', 'RESOURCE_EXHAUSTED'],
  ...['UNIMPLEMENTED', 'FAILED_PRECONDITION', 'NOT_FOUND'],
])

test('load() takes a mutated archive, or refuses it and leaves the store as it was', async t => {
  t.timeout(240_000)
  const archives = await seeds(t)
  const counts: Record<string, number> = {}
  const runs = 1500
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...archives),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 5000 }),
      async (archive, mutations, chunk) => {
        const bytes = mutations.reduce<Buffer>((from, mutate) => mutate(from), archive)
        const { store, scope } = loadScope(t)
        let outcome = 'taken'
        try {
          const { images } = await load(scope, inChunks(bytes, chunk))
          if (images.length === 0) throw new Error('taken, and nothing was named')
        } catch (error) {
          if (!isOrlopError(error) || !allowed.has(error.code)) throw error
          outcome = error.code
        }
        counts[outcome] = (counts[outcome] ?? 0) + 1
        const records = await recordsIn(store)
        const leftovers = records.filter(record => /^(?:ingest|lease)/.test(record))
        if (leftovers.length > 0) throw new Error(leftovers.join())
        if (outcome === 'taken') return
        await store.collector.collect()
        const left = [...(await recordsIn(store)), ...(await bytesIn(store))]
        if (left.length > 0) throw new Error(`refused with ${outcome}, and left ${left.join()}`)
      },
    ),
    { numRuns: runs },
  )
  t.log(`${runs} mutated archives of ${archives.length}: ${JSON.stringify(counts)}`)
  t.true((counts.taken ?? 0) > 0 && Object.keys(counts).length > 3)
})

test('readTar() takes any bytes, or refuses them', async t => {
  const runs = 3000
  const header = layoutTar(named(blob(mediaTypes.ociLayer, 'x'), 'a.b/c:1'))
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 4000 }),
      fc.array(mutation, { maxLength: 3 }),
      async (any, mutations) => {
        const bytes = mutations.reduce<Buffer>(
          (from, mutate) => mutate(from),
          Buffer.concat([header.subarray(0, 512), any]),
        )
        try {
          for await (const { body, isSparse } of readTar(inChunks(bytes, 777)))
            if (!isSparse) await collect(body())
        } catch (error) {
          if (!isOrlopError(error) || !allowed.has(error.code)) throw error
        }
      },
    ),
    { numRuns: runs },
  )
  t.log(`${runs} streams of bytes`)
  t.pass()
})
