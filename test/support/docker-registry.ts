import fs from 'node:fs/promises'
import path from 'node:path'
import { start } from './run.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** A running docker-registry of Debian, on loopback, with a directory of its own. */
export interface DockerRegistry {
  /** `127.0.0.1:<port>` */
  readonly host: string
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** Where it keeps its data. */
  readonly directory: string
}

/** How the registry lets people in. */
export interface DockerRegistryOptions {
  /** `open`: everybody. `basic`: htpasswd with `registryUser`. `{realm, …}`: tokens of an issuer. Default: open. */
  readonly auth?: 'open' | 'basic' | TokenAuth
}

/** Settings of distribution's token auth. */
export interface TokenAuth {
  readonly realm: string
  readonly service: string
  readonly issuer: string
  /** A file with the certificates whose keys may sign tokens, in PEM. */
  readonly rootCertBundle: string
}

/** Who a registry with `auth: 'basic'` lets in. */
export const registryUser = {
  name: 'keeper',
  password: 'opensesame',
  /** bcrypt, the only form that distribution takes. */
  htpasswd: 'keeper:$2b$05$orlopregistrytestsaltufjChjVh/3G6b4n6pUXPljOA.xtlaa0O\n',
} as const

/**
 * Starts docker-registry on a port that the system chose and waits until it answers; stops it in teardown.
 *
 * Foreign layers of any URL are accepted, and blobs and manifests may be deleted.
 */
export async function startDockerRegistry(
  t: Teardown,
  { auth = 'open' }: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  const directory = await temporaryDirectory(t)
  await fs.writeFile(path.join(directory, 'htpasswd'), registryUser.htpasswd)
  await fs.writeFile(path.join(directory, 'config.yml'), configuration(directory, auth))
  const { child, outcome } = start('docker-registry', ['serve', path.join(directory, 'config.yml')], {
    deadline: 3_600_000,
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await outcome
  })
  const host = await Promise.race([
    new Promise<string>(resolve => {
      onLines(child.stderr, line => {
        const [, address] = /listening on (127\.0\.0\.1:\d+)/.exec(line) ?? []
        if (address !== undefined) resolve(address)
      })
    }),
    outcome.then(({ stderr }) => Promise.reject(new Error(`docker-registry did not start:\n${stderr}`))),
  ])
  return { host, url: `http://${host}`, directory }
}

const configuration = (directory: string, auth: 'open' | 'basic' | TokenAuth): string =>
  JSON.stringify({
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: path.join(directory, 'data') }, delete: { enabled: true } },
    http: { addr: '127.0.0.1:0', secret: 'not a secret' },
    validation: { manifests: { urls: { allow: ['^https?://'] } } },
    ...(auth === 'open' ? {} : { auth: authSection(directory, auth) }),
  })

const authSection = (directory: string, auth: 'basic' | TokenAuth) =>
  auth === 'basic'
    ? { htpasswd: { realm: 'orlop tests', path: path.join(directory, 'htpasswd') } }
    : {
        token: {
          realm: auth.realm,
          service: auth.service,
          issuer: auth.issuer,
          rootcertbundle: auth.rootCertBundle,
        },
      }

const onLines = (stream: NodeJS.ReadableStream | null, take: (line: string) => void): void => {
  let rest = ''
  stream?.on('data', (chunk: Buffer | string) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(line)
  })
}
