import type { AbortOptions } from '../../options.ts'

/**
 * What a registry is shown: a user's password, a token to get tokens with, or a token for the registry itself.
 *
 * `source` says where it was found, for people: a file and its key, or a helper. Never the secret.
 */
export type Credential = (
  | { readonly username: string; readonly password: string }
  | { readonly identityToken: string; readonly username?: string | undefined }
  | { readonly registryToken: string }
) & { readonly source?: string | undefined }

/** For what a credential is wanted. */
export interface CredentialOptions extends AbortOptions {
  /** The repository: `library/busybox`. Without it what is kept for the registry as a whole is meant. */
  readonly repository?: string | undefined
}

/**
 * Finds the credential for a registry; `undefined` means to go on as nobody.
 *
 * @param host  the registry as references name it, with its port: `docker.io`, `localhost:5000`
 */
export type Credentials = (host: string, options?: CredentialOptions) => Promise<Credential | undefined>

/** JSON, or `undefined`. The parser's own error would quote the text, and the text is secret. */
export function parseSecretJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const hubNames: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io'])

/** The key that Docker writes for its hub, and the address that its helpers know. */
export const hubKey = 'https://index.docker.io/v1/'

/** A host without the several names of Docker Hub; scheme and path, which old files have, are dropped. */
export function canonicalHost(key: string): string {
  const host = key
    .replace(/^https?:\/\//i, '')
    .replace(/\/.*$/s, '')
    .toLowerCase()
  return hubNames.has(host) ? 'docker.io' : host
}

/** What helpers may know a registry by: Docker Hub has its old address, and podman writes its name. */
export const serverNames = (host: string): readonly string[] =>
  canonicalHost(host) === 'docker.io' ? [hubKey, 'docker.io'] : [host]
