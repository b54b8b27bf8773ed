import fs from 'node:fs/promises'
import path from 'node:path'
import { output, run } from './run.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** A home of gpg with secret keys in it. */
export interface GpgHome {
  /** What programs that sign with it are to find in their environment. */
  readonly env: Readonly<Record<string, string>>
  /** Makes a key; gives its fingerprint. */
  newKey(name: string): Promise<string>
  /** Writes a public key into a file, armored; gives the file. */
  exported(fingerprint: string): Promise<string>
}

/** Makes a home; its agent is stopped and all of it removed when the test ends. */
export async function gpgHome(t: Teardown): Promise<GpgHome> {
  const home = await temporaryDirectory(t)
  const env = { GNUPGHOME: home }
  t.teardown(async () => {
    await run('gpgconf', ['--kill', 'all'], { env })
  })
  const gpg = (...args: readonly string[]): Promise<string> =>
    output('gpg', ['--batch', '--quiet', ...args], { env })
  return {
    env,
    newKey: async name => {
      await gpg('--passphrase', '', '--quick-gen-key', name, 'ed25519', 'sign', 'never')
      const listed = await gpg('--with-colons', '--list-keys', name)
      return /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1] ?? ''
    },
    exported: async fingerprint => {
      const file = path.join(home, `${fingerprint}.asc`)
      await fs.writeFile(file, await gpg('--armor', '--export', fingerprint))
      return file
    },
  }
}
