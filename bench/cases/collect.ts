import fs from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import type { Collection } from '../../src/gc/collector.ts'
import { bound } from '../lib/bound.ts'
import { command } from '../lib/measure.ts'
import { orlopWords } from '../lib/peers.ts'
import type { Case, CaseMaker } from '../lib/types.ts'

const name = '50,000 a second'

/**
 * A collection of which half goes, of a store on disk. The wall time is that of marking, by which a collection grows; CPU time
 * and peak are of the whole command, and the pause is the longest for which writers were held up.
 */
export const make: CaseMaker = async bench => {
  const of = (count: number): Case => {
    const root = path.join(bench.directory, 'root')
    const stdout = path.join(bench.directory, 'collection.json')
    const prepare = async () => {
      await fs.rm(root, { recursive: true, force: true })
      await command([process.execPath, path.resolve('dist/bench/inside/fill.js'), root, String(count)])
    }
    const run = async () => {
      const sample = await command(orlopWords('gc', 'run', '--json', '--root', root), { stdout })
      const { durations, scanned, pauses }: Collection = JSON.parse(await fs.readFile(stdout, 'utf8'))
      return { ...sample, wallMs: durations.mark, count: scanned, pauseMs: pauses.longest }
    }
    return {
      name: `collect-${count}`,
      title: `marking of ${count.toLocaleString('en')} blobs of which half go`,
      contenders: [{ name: 'orlop gc run', kind: 'ours', prepare, run }, bound(name, count / 50)],
      targets: [
        // What any collection costs is most of a small one.
        ...(count < 10_000 ? [] : [{ against: name, measure: 'wall' as const, atMost: 1 }]),
        { against: name, measure: 'peak', atMost: 1 },
        { against: name, measure: 'pause', atMost: 1 },
      ],
    }
  }
  return [1000, 10_000, 100_000].map(count => of(Math.round(count * bench.scale)))
}
