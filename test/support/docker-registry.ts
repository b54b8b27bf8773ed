import fs from 'node:fs/promises'
import path from 'node:path'
import { start } from './run.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** A running docker-registry of Debian, on loopback, with a directory of its own. */
export interface DockerRegistry {
  /** `127.0.0.1:<port>` */
  readonly host: string
  /** `http://127.0.0.1:<port>`, or https */
  readonly url: string
  /** Where its configuration and its logs are. */
  readonly directory: string
  /** Where it keeps its data. */
  readonly storage: string
}

/** How the registry lets people in. */
export interface DockerRegistryOptions {
  /** `open`: everybody. `basic`: htpasswd with `registryUser`. `{realm, …}`: tokens of an issuer. Default: open. */
  readonly auth?: 'open' | 'basic' | TokenAuth
  /** PEM text: it speaks TLS, and with `clientCa` only to whom that authority knows. Default: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string }
  /** The registry (`http://…`) that it is a pull-through mirror of. */
  readonly proxyOf?: string
  /** Where its data is, so that two can share it. Default: a directory of its own. */
  readonly storage?: string
  /** True: it refuses every change. */
  readonly readOnly?: boolean
  /** False: blobs and manifests cannot be deleted. */
  readonly deletes?: boolean
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
 * Foreign layers of any URL are accepted.
 */
export async function startDockerRegistry(
  t: Teardown,
  options: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  const directory = await temporaryDirectory(t)
  const storage = options.storage ?? path.join(directory, 'data')
  await fs.writeFile(path.join(directory, 'htpasswd'), registryUser.htpasswd)
  const config = await configuration(directory, { ...options, storage })
  await fs.writeFile(path.join(directory, 'config.yml'), config)
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
  return { host, url: `${options.tls ? 'https' : 'http'}://${host}`, directory, storage }
}

const configuration = async (
  directory: string,
  {
    auth = 'open',
    tls,
    proxyOf,
    storage,
    readOnly = false,
    deletes = true,
  }: DockerRegistryOptions & { readonly storage: string },
): Promise<string> =>
  JSON.stringify({
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: storage },
      delete: { enabled: deletes },
      maintenance: { readonly: { enabled: readOnly } },
    },
    http: {
      addr: '127.0.0.1:0',
      secret: 'not a secret',
      ...(tls && { tls: await tlsSection(directory, tls) }),
    },
    validation: { manifests: { urls: { allow: ['^https?://'] } } },
    ...(proxyOf !== undefined && { proxy: { remoteurl: proxyOf } }),
    ...(auth === 'open' ? {} : { auth: authSection(directory, auth) }),
  })

async function tlsSection(
  directory: string,
  { cert, key, clientCa }: NonNullable<DockerRegistryOptions['tls']>,
) {
  const file = async (name: string, text: string): Promise<string> => {
    await fs.writeFile(path.join(directory, name), text)
    return path.join(directory, name)
  }
  return {
    certificate: await file('server.pem', cert),
    key: await file('server.key', key),
    ...(clientCa !== undefined && { clientcas: [await file('clients.pem', clientCa)] }),
  }
}

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
