import { output } from './run.ts'

/** Bytes of all files below a directory, as `du` has them; some versions of it add directories, so it is asked file by file. */
export async function bytesByDu(directory: string): Promise<number> {
  const files = await output('find', [directory, '-type', 'f', '-printf', '%p\\0'])
  if (files === '') return 0
  const lines = await output('du', ['--apparent-size', '-B1', '--files0-from=-'], { input: files })
  return sum(lines)
}

/** Bytes of the blocks of a tree, directories too, as `du` has them. */
export const allocatedByDu = async (directory: string): Promise<number> =>
  sum(await output('du', ['-s', '-B1', directory]))

const sum = (lines: string): number =>
  lines
    .trim()
    .split('\n')
    .reduce((total, line) => total + Number(line.split('\t')[0]), 0)
