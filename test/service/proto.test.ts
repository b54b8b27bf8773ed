import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import { output, projectRoot } from '../support/run.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const filesBelow = async (directory: string): Promise<ReadonlyMap<string, string>> => {
  const entries = await fs.readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name))
  const read = async (file: string) =>
    [path.relative(directory, file), await fs.readFile(file, 'utf8')] as const
  return new Map(await Promise.all(files.map(read)))
}

test('src/service/gen is what `npm run proto` makes of proto/', async t => {
  const directory = await temporaryDirectory(t)
  const bin = path.join(projectRoot, 'node_modules', '.bin')
  // buf puts the plugin's folder below --output; the template's ../src/service/gen so leads out of the second level.
  const work = path.join(directory, 'a')
  await fs.mkdir(work)
  const template = path.join(projectRoot, 'proto', 'buf.gen.yaml')
  await output(path.join(bin, 'buf'), ['generate', '--template', template, '--output', work], {
    cwd: path.join(projectRoot, 'proto'),
    env: { PATH: `${bin}${path.delimiter}${process.env.PATH}`, BUF_CACHE_DIR: path.join(directory, 'cache') },
  })
  const made = await filesBelow(path.join(directory, 'src', 'service', 'gen'))
  const kept = await filesBelow(path.join(projectRoot, 'src', 'service', 'gen'))
  t.deepEqual([...made.keys()].sort(), [...kept.keys()].sort())
  for (const [name, text] of made) t.is(kept.get(name), text, name)
})
