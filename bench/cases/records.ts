import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import path from 'node:path'
import { bound, memoryBound } from '../lib/bound.ts'
import { inProcess, selfMeasured } from '../lib/measure.ts'
import { containerdPeer, fresh, servePeer } from '../lib/peers.ts'
import type { Bench, Case, CaseMaker, Contender } from '../lib/types.ts'

/** Image records: created, got and listed, in the library and through the socket, one and 32 at a time. */
export const make: CaseMaker = async bench => {
  const ctr = await containerdPeer(bench)
  const serve = await servePeer(bench)
  const count = (full: number): number => Math.max(32, Math.round(full * bench.scale))
  const library = (what: string, total: number, atOnce: number): Contender => {
    const root = path.join(bench.directory, 'library')
    return {
      name: 'orlop, library',
      kind: 'ours',
      prepare: () => fresh(root),
      run: () => selfMeasured('records.js', ['library', root, what, total, atOnce]),
    }
  }
  const socket = (what: string, total: number, atOnce: number): readonly Contender[] => [
    {
      name: 'orlop serve',
      kind: 'ours',
      run: () =>
        selfMeasured('records.js', ['socket', serve.address, what, total, atOnce], { daemon: serve.pid }),
    },
    {
      name: 'containerd',
      kind: 'peer',
      run: () =>
        selfMeasured('records.js', ['socket', ctr.address, what, total, atOnce], { daemon: ctr.pid }),
    },
    bound(memoryBound),
  ]
  const through = (what: string, total: number, atOnce: number, atMost?: number): Case => ({
    name: `socket-${what}-${atOnce}`,
    title: `image ${what} through the socket, ${atOnce} at once (${total})`,
    contenders: socket(what, total, atOnce),
    targets: [
      ...(atMost === undefined ? [] : [{ against: 'containerd', measure: 'wall' as const, atMost }]),
      { against: memoryBound, measure: 'peak', atMost: 1 },
    ],
  })
  const inLibrary = (what: string, total: number, atOnce: number, more: Partial<Case> = {}): Case => ({
    name: `library-${what}-${atOnce}`,
    title: `image ${what} in the library, ${atOnce} at once (${total})`,
    contenders: [library(what, total, atOnce)],
    ...more,
  })
  const many = count(10_000)
  const few = count(1000)
  return [
    {
      ...inLibrary('create', many, 32),
      contenders: [library('create', many, 32), syncs(bench, many)],
      targets: [{ against: creationBound, measure: 'wall', atMost: 1 }],
    },
    inLibrary('create', few, 1),
    inLibrary('get', many, 1),
    inLibrary('get', many, 32),
    inLibrary('list', many, 1),
    through('create', count(3000), 32, 1),
    through('create', count(300), 1),
    {
      ...through('get', count(3000), 1, 2),
      contenders: [...socket('get', count(3000), 1), echo(count(3000))],
    },
    through('get', count(3000), 32),
    through('list', count(3000), 1),
  ]
}

/** What node:http2 allows: our client, and a server that gives back what it is sent. */
const echo = (count: number): Contender => ({
  name: 'an echo over node:http2',
  kind: 'limit',
  run: () => selfMeasured('echo.js', [count]),
})

const creationBound = 'as 20 for each sync, or 10,000 a second'

/**
 * The disk's sync rate × 20: the time that a twentieth as many syncs of a file take. A disk that syncs so fast that this is
 * above 10,000 a second, for it has a cache that needs no power, does not bound it.
 */
const syncs = ({ directory }: Bench, count: number): Contender => ({
  name: creationBound,
  kind: 'limit',
  run: async () => {
    const few = Math.round(count / 20)
    const file = openSync(path.join(directory, 'syncs'), 'w')
    const sample = await inProcess(async () => {
      for (let at = 0; at < few; at++) {
        writeSync(file, Buffer.alloc(256))
        fsyncSync(file)
      }
      return count
    })
    closeSync(file)
    const wallMs = Math.max(sample.wallMs, count / 10)
    return { ...sample, wallMs, peakBytes: 0, readBytes: 0, writtenBytes: few * 256 }
  },
})
