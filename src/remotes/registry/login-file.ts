import { access, mkdir } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../../content/fs-durable.ts'
import { fromErrno, OrlopError } from '../../errors.ts'
import { configAuthFile, dockerConfigFile, runtimeAuthFile } from './credential-files.ts'

/** What decides where a login is written. */
export interface LoginFileOptions {
  /** Default: this process's. */
  readonly env?: NodeJS.ProcessEnv | undefined
  /** An auth.json. */
  readonly authFile?: string | undefined
  /** A config.json that Docker reads too; not together with `authFile`. */
  readonly compatAuthFile?: string | undefined
}

/** The file that a login is written to. */
export interface LoginFile {
  readonly path: string
  /** Docker's config.json: its hub has its old key there, and no key names a part of a registry. */
  readonly compat: boolean
}

/**
 * The file for logins: the one given, else `$REGISTRY_AUTH_FILE`, else Docker's where `$DOCKER_CONFIG` is set, else the
 * auth.json of the session.
 *
 * Without `XDG_RUNTIME_DIR`, where /run/containers is not for this user, it is the auth.json of the configuration.
 *
 * @throws INVALID_ARGUMENT  both files are given
 * @see containers/common pkg/auth, Login
 */
export async function loginFile(options: LoginFileOptions = {}): Promise<LoginFile> {
  const { env = process.env, authFile, compatAuthFile } = options
  if (authFile !== undefined && compatAuthFile !== undefined)
    throw new OrlopError(
      'INVALID_ARGUMENT',
      'give one file for the login, an auth.json or a config.json of Docker',
    )
  if (compatAuthFile !== undefined) return { path: compatAuthFile, compat: true }
  const given = authFile ?? (env.REGISTRY_AUTH_FILE || undefined)
  if (given !== undefined) return { path: given, compat: false }
  if (env.DOCKER_CONFIG) return { path: dockerConfigFile(env), compat: true }
  const runtime = runtimeAuthFile(env)
  const usable = env.XDG_RUNTIME_DIR || process.platform !== 'linux' || (await canHave(path.dirname(runtime)))
  return { path: usable ? runtime : configAuthFile(env), compat: false }
}

/** Makes the directory of a login's file, for its owner alone. @throws NOT_FOUND  `XDG_RUNTIME_DIR` is not there */
export async function makeLoginDirectory(file: string, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const { XDG_RUNTIME_DIR: runtime } = env
  try {
    if (runtime && path.dirname(path.dirname(file)) === path.resolve(runtime)) await access(runtime)
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  } catch (error) {
    throw fromErrno(error, path.dirname(file))
  }
}

/** True for a directory that is there, or can be made. */
async function canHave(directory: string): Promise<boolean> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await access(directory, 2)
    return true
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return false
  }
}
