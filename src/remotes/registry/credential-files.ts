import { homedir } from 'node:os'
import path from 'node:path'

/** What decides where files of credentials are. */
export interface CredentialFilesOptions {
  /** Default: this process's. `HOME`, `XDG_RUNTIME_DIR`, `XDG_CONFIG_HOME`, `DOCKER_CONFIG`, `REGISTRY_AUTH_FILE`. */
  readonly env?: NodeJS.ProcessEnv | undefined
  /** The only file to read, in the form of auth.json; before `$REGISTRY_AUTH_FILE`, which does the same. */
  readonly authFile?: string | undefined
}

/** One place of credentials. */
export interface CredentialFile {
  /** The path; for text out of the environment, the variable. */
  readonly name: string
  /** `dockercfg`: the registries are the top level, as Docker wrote it before 2015. */
  readonly format: 'auths' | 'dockercfg'
  /** The content, where it is no file's. */
  readonly text?: string | undefined
}

/**
 * Where credentials are looked for, in order.
 *
 * An explicit file is the only one. Else `$DOCKER_AUTH_CONFIG` (the JSON itself, for CI), then the files of
 * containers/image: the runtime directory's auth.json, the configuration directory's, Docker's config.json, .dockercfg.
 *
 * @see containers/image pkg/docker/config, getAuthFilePaths; docker/cli for DOCKER_AUTH_CONFIG
 */
export function credentialFiles(options: CredentialFilesOptions = {}): readonly CredentialFile[] {
  const { env = process.env } = options
  const only = options.authFile ?? (env.REGISTRY_AUTH_FILE || undefined)
  if (only !== undefined) return [auths(only)]
  const fromEnvironment: readonly CredentialFile[] = env.DOCKER_AUTH_CONFIG
    ? [{ name: '$DOCKER_AUTH_CONFIG', format: 'auths', text: env.DOCKER_AUTH_CONFIG }]
    : []
  return [
    ...fromEnvironment,
    ...[...new Set([runtimeAuthFile(env), configAuthFile(env)])].map(auths),
    auths(dockerConfigFile(env)),
    { name: path.join(homeOf(env), '.dockercfg'), format: 'dockercfg' },
  ]
}

const auths = (name: string): CredentialFile => ({ name, format: 'auths' })

const homeOf = ({ HOME }: NodeJS.ProcessEnv): string => HOME || homedir()

/** The auth.json that lives as long as the user's session: where containers/image writes logins. */
export function runtimeAuthFile(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): string {
  if (platform !== 'linux') return path.join(homeOf(env), '.config', 'containers', 'auth.json')
  const directory = env.XDG_RUNTIME_DIR || `/run/containers/${process.getuid?.() ?? 0}`
  return env.XDG_RUNTIME_DIR
    ? path.join(directory, 'containers', 'auth.json')
    : path.join(directory, 'auth.json')
}

/** The auth.json that stays. */
export const configAuthFile = (env: NodeJS.ProcessEnv): string =>
  path.join(env.XDG_CONFIG_HOME || path.join(homeOf(env), '.config'), 'containers', 'auth.json')

/** Docker's config.json. */
export const dockerConfigFile = (env: NodeJS.ProcessEnv): string =>
  path.join(env.DOCKER_CONFIG || path.join(homeOf(env), '.docker'), 'config.json')
