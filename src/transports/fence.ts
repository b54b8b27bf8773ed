import fs, { type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../content/fs-durable.ts'
import { fromErrno, OrlopError } from '../errors.ts'

/** A file that is open to read. */
export interface OpenFile extends AsyncDisposable {
  /** Without links in it. */
  readonly path: string
  readonly handle: FileHandle
  /** Bytes. */
  readonly size: number
}

/**
 * A directory that strangers may have filled: gives out regular files that lie in it, and nothing else.
 *
 * Symbolic links are followed while they stay inside.
 */
export class Fence {
  readonly directory: string
  #real: Promise<string> | undefined

  /** @param directory  an absolute path; it may be a link itself */
  constructor(directory: string) {
    this.directory = directory
  }

  /**
   * Opens a file.
   *
   * @param name  parts of the path below the directory
   * @throws NOT_FOUND  no such file
   * @throws FAILED_PRECONDITION  it leads out of the directory, or is no regular file
   */
  async open(...name: readonly string[]): Promise<OpenFile> {
    const file = path.join(this.directory, ...name)
    try {
      const real = await this.#inside(file)
      // Without blocking, for a pipe has no end to wait for; it is refused below.
      const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants
      const handle = await fs.open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
      return await regular(handle, real, file)
    } catch (error) {
      throw fromErrno(error, file)
    }
  }

  /**
   * The real path of a file, if it has just so many bytes. Throws as `open`.
   */
  async place(size: number, ...name: readonly string[]): Promise<string | undefined> {
    await using file = await this.open(...name)
    return file.size === size ? file.path : undefined
  }

  /**
   * A small file, whole.
   *
   * @throws RESOURCE_EXHAUSTED  more than `maxSize` bytes
   */
  async read(maxSize: number, ...name: readonly string[]): Promise<Uint8Array> {
    await using file = await this.open(...name)
    const what = path.join(this.directory, ...name)
    if (file.size > maxSize) throw tooLarge(what, file.size, maxSize)
    // One byte more than it has, to see that it does not grow.
    const buffer = Buffer.alloc(file.size + 1)
    let used = 0
    while (used < buffer.byteLength) {
      const { bytesRead } = await file.handle.read(buffer, used, buffer.byteLength - used, used)
      if (bytesRead === 0) break
      used += bytesRead
    }
    if (used > file.size) throw new OrlopError('ABORTED', `${what}: was changed while it was read`)
    return buffer.subarray(0, used)
  }

  /**
   * Makes sure that a directory, where there is one, lies inside, so that what is written there does too.
   *
   * @throws FAILED_PRECONDITION  it is a link out
   */
  async check(...name: readonly string[]): Promise<void> {
    const place = path.join(this.directory, ...name)
    try {
      await this.#inside(place, true)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fromErrno(error, place)
    }
  }

  async #inside(file: string, orItself = false): Promise<string> {
    this.#real ??= fs.realpath(this.directory)
    const [root, real] = await Promise.all([this.#real, fs.realpath(file)])
    const relative = path.relative(root, real)
    if ((relative === '' && !orItself) || relative.split(path.sep)[0] === '..' || path.isAbsolute(relative)) {
      throw new OrlopError(
        'FAILED_PRECONDITION',
        `${file}: is a link out of ${this.directory}, which is not followed`,
      )
    }
    return real
  }
}

async function regular(handle: FileHandle, real: string, what: string): Promise<OpenFile> {
  try {
    const stats = await handle.stat()
    if (!stats.isFile()) throw new OrlopError('FAILED_PRECONDITION', `${what}: not a regular file`)
    return { path: real, handle, size: stats.size, [Symbol.asyncDispose]: () => handle.close() }
  } catch (error) {
    await handle.close()
    throw error
  }
}

const tooLarge = (what: string, size: number, maxSize: number): OrlopError =>
  new OrlopError('RESOURCE_EXHAUSTED', `${what}: ${size} bytes, more than the ${maxSize} that are read`)
