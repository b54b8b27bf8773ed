import fs from 'node:fs/promises'
import path from 'node:path'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** A fresh directory with these files in it, by their paths: `a.test/hosts.toml`. */
export async function directoryWith(t: Teardown, files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await temporaryDirectory(t)
  for (const [name, text] of Object.entries(files)) {
    await fs.mkdir(path.dirname(path.join(directory, name)), { recursive: true })
    await fs.writeFile(path.join(directory, name), text)
  }
  return directory
}
