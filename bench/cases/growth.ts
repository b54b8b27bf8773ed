import path from 'node:path'
import { bound, memoryBound } from '../lib/bound.ts'
import { filesOf, manyImages } from '../lib/images.ts'
import { command } from '../lib/measure.ts'
import { orlopWords } from '../lib/peers.ts'
import type { Case, CaseMaker } from '../lib/types.ts'

/**
 * What list, collect and df cost at 1, 10 and 100 times the size, of images with manifests, configs and layers of their own.
 * Ours is the largest; the limit beside it is what the one a tenth as large took, ten times: what cost in proportion is.
 */
export const make: CaseMaker = async bench => {
  const sizes = [1, 10, 100].map(factor => Math.max(10, Math.round(100 * factor * bench.scale)))
  const rootOf = (count: number): string => path.join(bench.directory, `root-${count}`)
  for (const count of sizes) {
    bench.note(`a store of ${count} images, ${filesOf(count)} files`)
    await manyImages(rootOf(count), count)
  }
  const [, middle = 0, largest = 0] = sizes
  const inProportion = 'in proportion to a tenth'
  const of = (name: string, ...args: readonly string[]): Case => {
    const run = async (count: number) => ({
      ...(await command(orlopWords(...args, '--root', rootOf(count)))),
      count,
    })
    const scaled = async () => {
      const sample = await run(middle)
      const factor = largest / middle
      return { ...sample, wallMs: sample.wallMs * factor, cpuMs: sample.cpuMs * factor, count: largest }
    }
    return {
      name: `growth-${name}`,
      title: `${args.join(' ')} against the number of images`,
      contenders: [
        { name: `${largest} images`, kind: 'ours', run: () => run(largest) },
        ...sizes
          .slice(0, -1)
          .map(count => ({ name: `${count} images`, kind: 'limit', run: () => run(count) }) as const),
        { name: inProportion, kind: 'limit', run: scaled },
        bound(memoryBound),
      ],
      targets: [
        { against: inProportion, measure: 'cpu', atMost: 1 },
        { against: memoryBound, measure: 'peak', atMost: 1 },
      ],
    }
  }
  return [of('list', 'images', 'list'), of('gc', 'gc', 'run'), of('df', 'df')]
}
