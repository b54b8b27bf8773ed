import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { OrlopError } from '../../errors.ts'
import { isObject } from '../../oci/json.ts'
import type { AbortOptions } from '../../options.ts'
import { type Credential, parseSecretJson } from './credential.ts'
import { clean } from './error.ts'

/** How helpers are run. */
export interface HelperOptions {
  /** The environment they get; `PATH` finds them. Default: this process's. */
  readonly env?: NodeJS.ProcessEnv | undefined
  /** Milliseconds that one may take; default 30 000. */
  readonly helperTimeoutMs?: number | undefined
}

const maxOutput = 1024 * 1024

/**
 * What `docker-credential-<name> get` has for a server; `undefined` when it knows none.
 *
 * @throws INVALID_ARGUMENT  a name that is not a plain one
 * @throws NOT_FOUND  the program is not installed
 * @throws UNAUTHENTICATED  it fails, takes too long or says what cannot be read
 * @see docker/docker-credential-helpers, the protocol
 */
export async function helperCredential(
  name: string,
  server: string,
  { env = process.env, helperTimeoutMs = 30_000, signal }: HelperOptions & AbortOptions = {},
): Promise<Credential | undefined> {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name))
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `credential helper ${JSON.stringify(name.slice(0, 80))}: not a plain name`,
    )
  signal?.throwIfAborted()
  const program = `docker-credential-${name}`
  const { code, output } = await run(program, server, { env, helperTimeoutMs, signal })
  if (code === 0) return readAnswer(output, program)
  if (/credentials not found/i.test(output)) return undefined
  const said = clean(output, 200)
  throw new OrlopError('UNAUTHENTICATED', `${program} for ${server} failed${said === '' ? '' : `: ${said}`}`)
}

function readAnswer(output: string, program: string): Credential | undefined {
  const json = parseSecretJson(output)
  const { Username: username, Secret: secret } = isObject(json) ? json : {}
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw new OrlopError('UNAUTHENTICATED', `${program}: its answer is not {"Username", "Secret"}`)
  if (secret === '') return undefined
  return username === '<token>' ? { identityToken: secret } : { username, password: secret }
}

interface Outcome {
  readonly code: number | null
  readonly output: string
}

function run(
  program: string,
  input: string,
  { env, helperTimeoutMs, signal }: Required<HelperOptions> & AbortOptions,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { env, shell: false, windowsHide: true })
    const fail = (error: unknown) => {
      child.kill('SIGKILL')
      reject(error)
    }
    const abort = () => fail(signal?.reason)
    const timer = setTimeout(
      () => fail(new OrlopError('UNAUTHENTICATED', `${program}: no answer within ${helperTimeoutMs} ms`)),
      helperTimeoutMs,
    )
    signal?.addEventListener('abort', abort, { once: true })
    child.on('error', error => fail(startError(program, error)))
    child.on('close', () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    })
    collect(child, resolve, () =>
      fail(new OrlopError('UNAUTHENTICATED', `${program}: its answer is too long`)),
    )
    // One that exits without reading its input is judged by its exit code.
    child.stdin.on('error', () => {})
    child.stdin.end(`${input}\n`)
  })
}

function collect(
  child: ChildProcessWithoutNullStreams,
  done: (outcome: Outcome) => void,
  tooLong: () => void,
): void {
  const chunks: Buffer[] = []
  let size = 0
  child.stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size > maxOutput) tooLong()
  })
  child.stderr.resume()
  child.on('close', code => done({ code, output: Buffer.concat(chunks).toString('utf8') }))
}

const startError = (program: string, cause: NodeJS.ErrnoException): OrlopError =>
  cause.code === 'ENOENT'
    ? new OrlopError(
        'NOT_FOUND',
        `${program} is not on PATH; install it or remove it from Docker's config.json`,
        { cause },
      )
    : new OrlopError('UNAUTHENTICATED', `${program} cannot be started`, { cause })
