import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { replaceFile } from '../../content/fs-durable.ts'
import { fromErrno } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import { withLockFile } from './lock-file.ts'
import { registriesConf } from './registries-conf.ts'
import { readText } from './text-file.ts'
import { readToml } from './toml.ts'

/** The file where containers' tools keep which registry a person chose for a short name. */
export function aliasesFile(env: NodeJS.ProcessEnv = process.env): string {
  const name = 'containers/short-name-aliases.conf'
  if (process.getuid?.() === 0) return path.join('/var/cache', name)
  return path.join(env.XDG_CACHE_HOME || path.join(env.HOME || homedir(), '.cache'), name)
}

/**
 * The aliases in such a file: repository by short name; none when it is not there.
 *
 * @throws FAILED_PRECONDITION  the file is not valid
 */
export async function readAliases(
  file: string,
  options: AbortOptions = {},
): Promise<ReadonlyMap<string, string>> {
  const text = await readText(file, options)
  return text === undefined ? new Map() : (await readToml(text, file, registriesConf)).aliases
}

/**
 * Records which repository a short name stands for, so that nobody is asked again. Other entries stay.
 *
 * @throws UNAVAILABLE  another process writes the file, and does not end
 */
export async function recordAlias(
  file: string,
  { name, repository }: { readonly name: string; readonly repository: string },
  options: AbortOptions = {},
): Promise<void> {
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    await withLockFile(
      `${file}.orlop-lock`,
      async () => {
        const aliases = new Map([...(await readAliases(file, options)), [name, repository]])
        const lines = [...aliases].map(entry => `  ${entry.map(text => JSON.stringify(text)).join(' = ')}\n`)
        await replaceFile(file, `[aliases]\n${lines.join('')}`, 0o600)
      },
      options,
    )
  } catch (error) {
    throw fromErrno(error, file)
  }
}
