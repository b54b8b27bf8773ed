import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import type net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { fromErrno, isNotFound, OrlopError } from '../errors.ts'

/** What a socket's address may have, in bytes; macOS allows fewer than Linux. */
const maxAddress = process.platform === 'darwin' ? 103 : 107

/** Where a service listens. */
export interface ListenOptions {
  /** The socket's path, with or without `unix://`. */
  readonly address: string
  /** Its mode; default 0600. */
  readonly mode?: number | undefined
  /** A listening socket that this process was started with, instead of `address`. */
  readonly fd?: number | undefined
  /** False: a process that only listens may end. */
  readonly keepsProcess?: boolean | undefined
}

/** The path of an address. @throws INVALID_ARGUMENT  another scheme, an empty path, or one too long for a socket */
export function socketPath(address: string): string {
  const refuse = (why: string): never => {
    throw new OrlopError('INVALID_ARGUMENT', `address ${JSON.stringify(address)}: ${why}`)
  }
  const [, scheme = 'unix', rest = ''] = /^(?:([a-z]+):(?:\/\/)?)?(.*)$/s.exec(address) ?? []
  if (scheme !== 'unix') refuse('only unix sockets are spoken; give a path')
  if (rest === '') refuse('give the path of a socket')
  const file = path.resolve(rest)
  if (Buffer.byteLength(file) > maxAddress) refuse(`the path of a socket has at most ${maxAddress} bytes`)
  return file
}

/** The socket of a root: in it, or where its path is too long for a socket, in a directory of this user's. */
export function defaultAddress(root: string): string {
  const inRoot = path.join(root, 'orlop.sock')
  if (Buffer.byteLength(inRoot) <= maxAddress) return inRoot
  const name = createHash('sha256').update(root).digest('hex').slice(0, 16)
  return path.join(privateDirectory(), `${name}.sock`)
}

const privateDirectory = (): string =>
  path.join(process.env.XDG_RUNTIME_DIR || os.tmpdir(), `orlop-${process.getuid?.() ?? 'user'}`)

/**
 * Listens on a unix socket. One that a dead process left behind is replaced.
 *
 * @throws UNAVAILABLE  somebody listens there already
 * @throws FAILED_PRECONDITION  something other than a socket is there, or its directory is missing or not this user's
 */
export async function listenOn(
  server: net.Server,
  { address, mode = 0o600, fd }: ListenOptions,
): Promise<void> {
  if (fd !== undefined) return listening(server, () => server.listen({ fd }))
  const file = socketPath(address)
  try {
    if (path.dirname(file) === privateDirectory()) await makePrivate(path.dirname(file))
    await removeStale(file)
    await listening(server, () => withUmask(~mode & 0o777, () => server.listen(file)))
    await fs.chmod(file, mode)
  } catch (error) {
    throw refused(error, file)
  }
}

const refused = (error: unknown, file: string): unknown => {
  const ours = fromErrno(error, `socket ${file}`)
  if (!isNotFound(ours)) return ours
  return new OrlopError('FAILED_PRECONDITION', `socket ${file}: there is no such directory; make it first`, {
    cause: error,
  })
}

const listening = (server: net.Server, listen: () => void): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      server.off('error', reject)
      resolve()
    })
    listen()
  })

/** The socket comes into being within `work`, so that it never has a mode that lets others in. */
function withUmask(mask: number, work: () => void): void {
  const before = process.umask(mask)
  try {
    work()
  } finally {
    process.umask(before)
  }
}

/** A directory below one that everybody may write must be this user's and nobody else's. */
async function makePrivate(directory: string): Promise<void> {
  await fs.mkdir(directory, { mode: 0o700, recursive: true })
  if (await isPrivate(directory)) return
  throw new OrlopError(
    'FAILED_PRECONDITION',
    `socket directory ${directory}: must belong to this user alone; use another --address`,
  )
}

async function isPrivate(directory: string): Promise<boolean> {
  const stats = await fs.lstat(directory)
  return stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0
}

async function removeStale(file: string): Promise<void> {
  const found = await fs.lstat(file).catch(error => {
    if (!isNotFound(fromErrno(error, file))) throw error
    return undefined
  })
  if (found === undefined) return
  if (!found.isSocket()) {
    throw new OrlopError('FAILED_PRECONDITION', `socket ${file}: something else is there; move it away`)
  }
  if (await answers(file)) {
    throw new OrlopError(
      'UNAVAILABLE',
      `socket ${file}: another process listens there; use another --address`,
    )
  }
  await fs.rm(file, { force: true })
}

/** True when somebody listens; whoever may not connect counts as somebody. */
const answers = async (file: string): Promise<boolean> => {
  const errno = await tryConnect(file)
  return errno !== 'ECONNREFUSED' && errno !== 'ENOENT'
}

/** What is wrong with a connection, or `undefined` when it came about; it is closed again. */
async function tryConnect(file: string): Promise<string | undefined> {
  // Not needed by most commands, which find no socket.
  const { connect } = await import('node:net')
  return new Promise(resolve => {
    const socket = connect(file)
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
  })
}

const isThere = (file: string): Promise<boolean> =>
  fs.lstat(file).then(
    () => true,
    (error: unknown) => !isNotFound(fromErrno(error, file)),
  )

/** True when a process of whom this one may believe it listens on the socket of a root. */
export async function isListening(address: string): Promise<boolean> {
  const directory = path.dirname(address)
  if (directory === privateDirectory() && !(await isPrivate(directory).catch(() => false))) return false
  return (await isThere(address)) && (await tryConnect(address)) === undefined
}
