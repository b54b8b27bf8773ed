import fs from 'node:fs/promises'
import path from 'node:path'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** A program `docker-credential-<name>` that keeps its secrets in files. */
export interface Keychain {
  /** The environment in which it is found. */
  readonly env: NodeJS.ProcessEnv
  /** What it keeps, by server: `user:secret`. */
  kept(): Promise<Readonly<Record<string, string>>>
}

/** A shell script of the helper protocol; servers are hexed into names of files. */
const script = (directory: string): string => `#!/bin/sh
cd '${directory}' || exit 2
name() { printf %s "$1" | od -An -tx1 | tr -d ' \\n'; }
case "$1" in
store)
  json=$(cat)
  server=$(printf %s "$json" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/')
  case "$server" in *refuse*) echo "refused: $json"; exit 1;; esac
  printf %s "$json" > "$(name "$server")"
  ;;
get)
  read -r server
  cat "$(name "$server")" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; }
  ;;
erase)
  read -r server
  rm -f "$(name "$server")"
  ;;
list)
  printf '{'
  comma=
  for file in *; do
    [ -f "$file" ] || continue
    sed "s/.*\\("'"ServerURL":'"\\)\\("'"[^"]*"'"\\).*\\("'"Username":'"\\)\\("'"[^"]*"'"\\).*/$comma\\2:\\4/" "$file" | tr -d '\\n'
    comma=,
  done
  printf '}'
  ;;
esac
`

/** Installs a keychain under a name; nothing of the user's own is touched. */
export async function installKeychain(t: Teardown, name: string): Promise<Keychain> {
  const bin = await temporaryDirectory(t)
  const directory = await temporaryDirectory(t)
  await fs.writeFile(path.join(bin, `docker-credential-${name}`), script(directory), { mode: 0o755 })
  const kept = async (): Promise<Readonly<Record<string, string>>> => {
    const entries: [string, string][] = []
    for (const file of await fs.readdir(directory)) {
      const { ServerURL, Username, Secret } = JSON.parse(
        await fs.readFile(path.join(directory, file), 'utf8'),
      )
      entries.push([ServerURL, `${Username}:${Secret}`])
    }
    return Object.fromEntries(entries)
  }
  return { env: { PATH: `${bin}${path.delimiter}${process.env.PATH}` }, kept }
}
