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
/** How long the rest of an answer is waited for once the helper has ended. */
const lingerMs = 1000

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
  options: HelperOptions & AbortOptions = {},
): Promise<Credential | undefined> {
  const program = programOf(name)
  const { code, output } = await run([program, 'get'], `${server}\n`, options)
  if (code === 0) return readAnswer(output, `${program} for ${server}`)
  if (isNotThere(output)) return undefined
  throw failed(`${program} for ${server}`, output)
}

/** Hands a user's password to `docker-credential-<name> store`. @throws as `helperCredential` */
export async function helperStore(
  name: string,
  server: string,
  { username, password }: { readonly username: string; readonly password: string },
  options: HelperOptions & AbortOptions = {},
): Promise<void> {
  const program = programOf(name)
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: password })
  const { code, output } = await run([program, 'store'], input, options)
  if (code !== 0) throw failed(`${program} for ${server}`, without(output, password))
}

/** What a helper says of a failure may hold the password that it was just given. */
const without = (text: string, secret: string): string =>
  [secret, JSON.stringify(secret).slice(1, -1)]
    .filter(Boolean)
    .reduce((rest, form) => rest.replaceAll(form, 'REDACTED'), text)

/** Makes `docker-credential-<name> erase` forget a server; false when it knew none. @throws as `helperCredential` */
export async function helperErase(
  name: string,
  server: string,
  options: HelperOptions & AbortOptions = {},
): Promise<boolean> {
  const program = programOf(name)
  // Many helpers call it a success to erase what is not there.
  if ((await helperCredential(name, server, options)) === undefined) return false
  const { code, output } = await run([program, 'erase'], `${server}\n`, options)
  if (code === 0) return true
  if (isNotThere(output)) return false
  throw failed(`${program} for ${server}`, output)
}

/** The servers that `docker-credential-<name> list` names. @throws as `helperCredential` */
export async function helperList(
  name: string,
  options: HelperOptions & AbortOptions = {},
): Promise<readonly string[]> {
  const program = programOf(name)
  const { code, output } = await run([program, 'list'], '', options)
  if (code !== 0) throw failed(program, output)
  const json = parseSecretJson(output)
  if (isObject(json)) return Object.keys(json)
  throw new OrlopError('UNAUTHENTICATED', `${program}: its list is not a JSON object`)
}

/** The program of a helper. A name that is a path would run any file. */
function programOf(name: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name)) return `docker-credential-${name}`
  const shown = JSON.stringify(name.slice(0, 80))
  throw new OrlopError('INVALID_ARGUMENT', `credential helper ${shown}: not a plain name`)
}

const isNotThere = (output: string): boolean => /credentials not found/i.test(output)

function failed(what: string, output: string): OrlopError {
  // What looks like an answer may hold a secret, although the helper failed.
  const said = /^\s*[{[]/.test(output) ? '' : clean(output, 200)
  return new OrlopError('UNAUTHENTICATED', `${what} failed${said === '' ? '' : `: ${said}`}`)
}

function readAnswer(output: string, what: string): Credential | undefined {
  const json = parseSecretJson(output)
  const { Username: username, Secret: secret } = isObject(json) ? json : {}
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw new OrlopError('UNAUTHENTICATED', `${what}: its answer is not {"Username", "Secret"}`)
  if (secret === '') return undefined
  const source = what
  return username === '<token>' ? { identityToken: secret, source } : { username, password: secret, source }
}

interface Outcome {
  readonly code: number | null
  readonly output: string
}

function run(
  [program, verb]: readonly [string, string],
  input: string,
  { env = process.env, helperTimeoutMs = 30_000, signal }: HelperOptions & AbortOptions,
): Promise<Outcome> {
  signal?.throwIfAborted()
  return new Promise((resolve, reject) => {
    const child = spawn(program, [verb], { env, shell: false, windowsHide: true })
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
    const fail = (error: unknown): void => {
      settle()
      child.kill('SIGKILL')
      // A process that the helper started may hold the other ends, and with them this process.
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
      reject(error)
    }
    const abort = (): void => fail(signal?.reason)
    const timer = setTimeout(
      () => fail(new OrlopError('UNAUTHENTICATED', `${program}: no answer within ${helperTimeoutMs} ms`)),
      helperTimeoutMs,
    )
    signal?.addEventListener('abort', abort, { once: true })
    child.on('error', error => fail(startError(program, error)))
    child.on('close', settle)
    collect(child, resolve, () =>
      fail(new OrlopError('UNAUTHENTICATED', `${program}: its answer is too long`)),
    )
    // One that exits without reading its input is judged by its exit code.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
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
  const end = (code: number | null): void => done({ code, output: Buffer.concat(chunks).toString('utf8') })
  child.on('close', end)
  child.on('exit', code => {
    // An agent that the helper left behind may hold its stdout for ever.
    const late = setTimeout(() => {
      for (const stream of [child.stdout, child.stderr]) stream.destroy()
      end(code)
    }, lingerMs)
    child.on('close', () => clearTimeout(late))
  })
}

const startError = (program: string, cause: NodeJS.ErrnoException): OrlopError =>
  cause.code === 'ENOENT'
    ? new OrlopError(
        'NOT_FOUND',
        `${program} is not on PATH; install it, or remove its name from the configuration`,
        { cause },
      )
    : new OrlopError('UNAUTHENTICATED', `${program} cannot be started`, { cause })
