import { selfMeasured } from '../lib/measure.ts'
import type { Case, CaseMaker } from '../lib/types.ts'

/** A collection of which half goes. The wall time is that of marking, by which a collection grows. */
export const make: CaseMaker = async bench => {
  const of = (count: number): Case => ({
    name: `collect-${count}`,
    title: `marking of ${count.toLocaleString('en')} blobs of which half go`,
    contenders: [
      { name: 'orlop gc run', kind: 'ours', run: () => selfMeasured('collect.js', [count]) },
      { name: '50,000 a second', kind: 'limit', run: async () => pace(count / 50) },
    ],
    targets: [{ against: '50,000 a second', measure: 'wall', atMost: 1 }],
  })
  return [10_000, 100_000].map(count => of(Math.round(count * bench.scale)))
}

/** No run: what the target says, as a row beside ours. */
const pace = (wallMs: number) => ({ wallMs, cpuMs: 0, peakBytes: 0, readBytes: 0, writtenBytes: 0 })
