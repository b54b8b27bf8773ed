import fs from 'node:fs'
import path from 'node:path'

/** Programs of other projects that tests are run against. All are Debian packages; `.ci/run` installs all but podman. */
export type Program =
  | 'docker-registry'
  | 'skopeo'
  | 'umoci'
  | 'ctr'
  | 'containerd'
  | 'zstd'
  | 'gpg'
  | 'openssl'
  | 'podman'

/** True when a program is on the PATH. */
export const isInstalled = (program: Program): boolean =>
  (process.env.PATH ?? '')
    .split(path.delimiter)
    .some(directory => isExecutable(path.join(directory, program)))

const isExecutable = (file: string): boolean => {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return true
  } catch {
    return false
  }
}
