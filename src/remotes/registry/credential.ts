import type { AbortOptions } from '../../options.ts'

/** What a registry is shown: a user's password, or a token to get tokens with. */
export type Credential =
  | { readonly username: string; readonly password: string }
  | { readonly identityToken: string }

/**
 * Finds the credential for a registry; `undefined` means to go on as nobody.
 *
 * @param host  the registry as references name it, with its port: `docker.io`, `localhost:5000`
 */
export type Credentials = (host: string, options?: AbortOptions) => Promise<Credential | undefined>

/** JSON, or `undefined`. The parser's own error would quote the text, and the text is secret. */
export function parseSecretJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
