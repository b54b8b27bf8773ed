import { fstatSync, read } from 'node:fs'
import fs from 'node:fs/promises'
import process from 'node:process'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { byTurns } from '../../content/by-turns.ts'
import { fromErrno, OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'

/** Bytes from outside. */
export interface Input extends AsyncDisposable {
  /** In order. A chunk is the reader's until the next one is asked for. */
  readonly bytes: AsyncIterable<Uint8Array>
}

/**
 * Opens a file, or stdin where it stands.
 *
 * @throws NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT  a file that is not there, or may not be read, or is a directory
 */
export async function openInput(file: string | undefined, options: AbortOptions): Promise<Input> {
  if (file === undefined || file === '-') return openStdin(options)
  const what = `file ${file}`
  const handle = await fs.open(file).catch(error => {
    throw fromErrno(error, what)
  })
  const stats = await handle.stat()
  if (stats.isFile()) {
    const bytes = named(chunksOf(handle.fd, options), what, options)
    return { bytes, [Symbol.asyncDispose]: () => handle.close() }
  }
  if (!stats.isDirectory()) return fromStream(handle.createReadStream(), what, options)
  await handle.close()
  throw new OrlopError('INVALID_ARGUMENT', `${what}: is a directory`)
}

function openStdin(options: AbortOptions): Input {
  if (!isFile(0)) return fromStream(process.stdin, 'stdin', options)
  return { bytes: named(chunksOf(0, options), 'stdin', options), [Symbol.asyncDispose]: async () => {} }
}

const isFile = (fd: number): boolean => {
  try {
    return fstatSync(fd).isFile()
  } catch {
    // Closed. The stream says so.
    return false
  }
}

/** What may keep its reader waiting: a pipe, a terminal, a device. */
function fromStream(stream: Readable, what: string, options: AbortOptions): Input {
  const { signal } = options
  const stop = (): void => void stream.destroy()
  signal?.addEventListener('abort', stop, { once: true })
  return {
    bytes: named(stream, what, options),
    [Symbol.asyncDispose]: async () => {
      signal?.removeEventListener('abort', stop)
      stop()
    },
  }
}

async function* named(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  { signal }: AbortOptions,
): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes
  } catch (error) {
    signal?.throwIfAborted()
    throw fromErrno(error, what)
  }
  signal?.throwIfAborted()
}

const chunkSize = 1024 * 1024

/** A file from where it stands. */
function chunksOf(fd: number, options: AbortOptions): AsyncIterable<Uint8Array> {
  const fill = promisify(read)
  return byTurns(buffer => fill(fd, buffer, 0, chunkSize, null), chunkSize, options)
}
