import path from 'node:path'
import { command } from '../lib/measure.ts'
import { orlopWords } from '../lib/peers.ts'
import type { CaseMaker, Contender } from '../lib/types.ts'
import { images } from './start.ts'

/** What list, collect and df cost at 1, 10 and 100 times the size: they should grow with it, and not faster. */
export const make: CaseMaker = async bench => {
  const roots = [1, 10, 100].map(factor => ({
    count: Math.max(1, Math.round(100 * factor * bench.scale)),
    root: path.join(bench.directory, `root-${factor}`),
  }))
  for (const { root, count } of roots) await images(root, count)
  const at = (...args: readonly string[]): readonly Contender[] =>
    roots.map(({ root, count }) => ({
      name: `${args.join(' ')}, ${count} images`,
      kind: 'ours',
      run: async () => ({ ...(await command(orlopWords(...args, '--root', root))), count }),
    }))
  return [
    {
      name: 'growth-list',
      title: 'images list against the number of images',
      contenders: at('images', 'list'),
    },
    { name: 'growth-gc', title: 'gc run against the number of images', contenders: at('gc', 'run') },
    { name: 'growth-df', title: 'df against the number of images', contenders: at('df') },
  ]
}
