import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import fs, { type FileHandle } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { type BombLimits, decompressed } from '../archive/compression.ts'
import { entryPath, linkTarget } from '../archive/entry-path.ts'
import { FileSource } from '../archive/file-source.ts'
import { readTar } from '../archive/tar.ts'
import type { ByteSource, TarEntry } from '../archive/types.ts'
import { readRange } from '../content/fs-read.ts'
import { rangeOf } from '../content/range.ts'
import type { ReadOptions } from '../content/types.ts'
import { fromErrno, OrlopError } from '../errors.ts'
import { type Digest, Digester } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'

/** Where a file lies in a tar. */
export interface TarredFile {
  /** Of its first byte in the tar. */
  readonly offset: number
  /** Bytes. */
  readonly size: number
}

/** Options of `ArchiveReader.open`. */
export interface ArchiveReaderOptions extends AbortOptions {
  /** How much may come out of a compressed archive. */
  readonly limits?: BombLimits | undefined
}

/** Enough for a thousand images of a hundred layers. */
const maxEntries = 200_000

/**
 * The files of a tar, to be read in any order: it is looked through once, and then its parts are read where they lie.
 *
 * One that is compressed, or that comes through a pipe, is written out into a temporary file first, which is gone when the
 * reader is disposed.
 */
export class ArchiveReader implements AsyncDisposable {
  readonly what: string
  readonly #handle: FileHandle
  readonly #temporary: string | undefined
  readonly #files: ReadonlyMap<string, TarredFile>
  readonly #links: ReadonlyMap<string, string>

  private constructor(what: string, { handle, temporary }: OpenTar, { files, links }: Contents) {
    this.what = what
    this.#handle = handle
    this.#temporary = temporary
    this.#files = files
    this.#links = links
  }

  /**
   * @throws NOT_FOUND, PERMISSION_DENIED  as the file system says
   * @throws INVALID_ARGUMENT  an entry with a name or link that leads out, or that is a device; two of one name with other
   *   bytes
   * @throws DATA_LOSS  an archive that is damaged or cut off
   * @throws RESOURCE_EXHAUSTED  too many entries, or a decompression bomb
   */
  static async open(file: string, { limits, signal }: ArchiveReaderOptions = {}): Promise<ArchiveReader> {
    const regular = await isRegular(file)
    const source: ByteSource = regular ? new FileSource(file, { signal }) : createReadStream(file)
    const { compression, bytes } = await decompressed(source, { what: file, limits, signal })
    const inPlace = compression === 'none' && regular
    const open = inPlace ? await openFile(file) : await spooled(bytes, { signal })
    try {
      const tar: ByteSource = inPlace ? bytes : readAll(open.handle)
      return new ArchiveReader(file, open, await contentsOf(tar, open.handle, file, { signal }))
    } catch (error) {
      await close(open)
      throw error
    }
  }

  /** True when there is such a file. */
  has(name: string): boolean {
    return this.#files.has(name)
  }

  /**
   * A file by its path, links followed.
   *
   * @throws NOT_FOUND  the archive has none there
   * @throws INVALID_ARGUMENT  links that lead in a circle, or a path that leads out
   */
  find(name: string): TarredFile {
    let at = entryPath(name, this.what)
    for (let steps = 0; steps <= this.#links.size; steps++) {
      const file = this.#files.get(at)
      if (file !== undefined) return file
      const next = this.#links.get(at)
      if (next === undefined)
        throw new OrlopError('NOT_FOUND', `${this.what}: there is no ${quoted(name)} in it`)
      at = next
    }
    throw new OrlopError('INVALID_ARGUMENT', `${this.what}: ${quoted(name)}: a link that leads to itself`)
  }

  /** The bytes of a file, or a part of them. */
  async *read({ offset, size }: TarredFile, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    const { start, end } = rangeOf(size, options)
    yield* readRange(this.#handle, { start: offset + start, end: offset + end }, options)
  }

  /**
   * A small file, whole.
   *
   * @throws RESOURCE_EXHAUSTED  more than `maxSize` bytes
   */
  async readSmall(name: string, maxSize: number, options: AbortOptions = {}): Promise<Uint8Array> {
    const file = this.find(name)
    if (file.size > maxSize)
      throw new OrlopError(
        'RESOURCE_EXHAUSTED',
        `${this.what}: ${quoted(name)}: ${file.size} bytes, more than the ${maxSize} that are read`,
      )
    const chunks: Uint8Array[] = []
    for await (const chunk of this.read(file, options)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await close({ handle: this.#handle, temporary: this.#temporary })
  }
}

/** A tar without compression, which may be a temporary file. */
interface OpenTar {
  readonly handle: FileHandle
  readonly temporary?: string | undefined
}

async function close({ handle, temporary }: OpenTar): Promise<void> {
  await handle.close()
  if (temporary !== undefined) await fs.rm(temporary, { force: true })
}

const quoted = (name: string): string => JSON.stringify(name.slice(0, 300))

/** False for pipes and the like. @throws INVALID_ARGUMENT  a directory */
async function isRegular(file: string): Promise<boolean> {
  try {
    const stats = await fs.stat(file)
    if (stats.isDirectory())
      throw new OrlopError('INVALID_ARGUMENT', `${file}: is a directory and no archive`)
    return stats.isFile()
  } catch (error) {
    throw fromErrno(error, file)
  }
}

async function openFile(file: string): Promise<OpenTar> {
  try {
    return { handle: await fs.open(file) }
  } catch (error) {
    throw fromErrno(error, file)
  }
}

/** A temporary file that loses its name at once, where the system lets it: nothing of it outlives this process. */
async function spooled(bytes: AsyncIterable<Uint8Array>, { signal }: AbortOptions): Promise<OpenTar> {
  const file = path.join(os.tmpdir(), `orlop-${randomBytes(8).toString('hex')}.tar`)
  let handle: FileHandle | undefined
  try {
    handle = await fs.open(file, 'wx+', 0o600)
    await fs.rm(file).catch(() => undefined)
    for await (const chunk of bytes) {
      signal?.throwIfAborted()
      await handle.writeFile(chunk)
    }
    return { handle, temporary: file }
  } catch (error) {
    if (handle) await close({ handle, temporary: file })
    throw fromErrno(error, `temporary file ${file}`)
  }
}

async function* readAll(handle: FileHandle): AsyncGenerator<Uint8Array> {
  const { size } = await handle.stat()
  yield* readRange(handle, { start: 0, end: size })
}

interface Contents {
  readonly files: ReadonlyMap<string, TarredFile>
  readonly links: ReadonlyMap<string, string>
}

async function contentsOf(
  tar: ByteSource,
  handle: FileHandle,
  what: string,
  { signal }: AbortOptions,
): Promise<Contents> {
  const files = new Map<string, TarredFile>()
  const links = new Map<string, string>()
  const twice = (name: string): OrlopError =>
    new OrlopError('INVALID_ARGUMENT', `${what}: ${quoted(name)}: comes twice, and not as the same`)
  for await (const entry of readTar(tar, { what, maxEntries, signal })) {
    const name = entryPath(entry.name, what)
    if (isDevice(entry))
      throw new OrlopError(
        'INVALID_ARGUMENT',
        `${what}: ${quoted(name)}: a ${entry.type}, which an archive of images does not have`,
      )
    if (entry.type === 'link' || entry.type === 'symlink') {
      const target = linkTarget(entry, what)
      if (files.has(name) || (links.get(name) ?? target) !== target) throw twice(name)
      links.set(name, target)
    }
    if (entry.type !== 'file') continue
    const file = fileOf(entry, what)
    const before = files.get(name)
    if (links.has(name) || (before && !(await isSame(handle, before, file)))) throw twice(name)
    files.set(name, before ?? file)
  }
  return { files, links }
}

const isDevice = ({ type }: TarEntry): boolean =>
  type === 'fifo' || type === 'block-device' || type === 'character-device'

function fileOf({ name, offset, size, isSparse }: TarEntry, what: string): TarredFile {
  if (isSparse)
    throw new OrlopError('UNIMPLEMENTED', `${what}: ${quoted(name)}: a sparse file, which is not read`)
  return { offset, size }
}

async function isSame(handle: FileHandle, a: TarredFile, b: TarredFile): Promise<boolean> {
  return a.size === b.size && (await digestOf(handle, a)) === (await digestOf(handle, b))
}

async function digestOf(handle: FileHandle, { offset, size }: TarredFile): Promise<Digest> {
  const digester = new Digester()
  for await (const chunk of readRange(handle, { start: offset, end: offset + size })) digester.update(chunk)
  return digester.digest()
}
