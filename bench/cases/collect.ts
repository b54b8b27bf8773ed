import fs from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { bound } from '../lib/bound.ts'
import { command, selfMeasured } from '../lib/measure.ts'
import type { Case, CaseMaker } from '../lib/types.ts'

const name = '50,000 a second'

/**
 * A collection of which half goes, of a store on disk, in a process of its own. The wall time is that of marking, by which a
 * collection grows; CPU time and peak are of all of it, and the pause is the longest for which writers were held up.
 */
export const make: CaseMaker = async bench => {
  const of = (count: number): Case => {
    const root = path.join(bench.directory, 'root')
    const prepare = async () => {
      await fs.rm(root, { recursive: true, force: true })
      await command([
        process.execPath,
        path.resolve('dist/bench/inside/collect.js'),
        'fill',
        root,
        `${count}`,
      ])
    }
    return {
      name: `collect-${count}`,
      title: `marking of ${count.toLocaleString('en')} blobs of which half go`,
      contenders: [
        { name: 'orlop gc run', kind: 'ours', prepare, run: () => selfMeasured('collect.js', ['run', root]) },
        bound(name, count / 50),
      ],
      targets: [
        { against: name, measure: 'wall', atMost: 1 },
        { against: name, measure: 'peak', atMost: 1 },
        { against: name, measure: 'pause', atMost: 1 },
      ],
    }
  }
  return [1000, 10_000, 100_000].map(count => of(Math.round(count * bench.scale)))
}
