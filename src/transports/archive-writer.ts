import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import fs, { type FileHandle } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { tarHeader } from '../archive/tar-writer.ts'
import { syncDirectory } from '../content/fs-durable.ts'
import { Turns } from '../content/turns.ts'
import type { Ingester, Writer, WriterInit } from '../content/types.ts'
import { fromErrno, OrlopError } from '../errors.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { ArchiveEntry, paddingFor, writeAt } from './archive-entry.ts'

/** Where a blob goes in a tar. */
export interface BlobName {
  readonly name: string
  /** The directories above it, with a slash at their ends, topmost first. */
  readonly below?: readonly string[]
}

/** Where each blob goes, by its digest and media type. */
export type NameOf = (digest: Digest, mediaType: string) => BlobName

const mode = { file: 0o444, directory: 0o755 } as const
const blockSize = 512

/**
 * A tar that blobs are written into, one after the other, straight from where they come.
 *
 * It is a file beside the one that it will be, and takes its place at once when it is finished; until then nothing is seen
 * of it. Where the path leads to a pipe or a device, it is written there in the end.
 */
export class ArchiveWriter implements Ingester, AsyncDisposable {
  readonly #file: string
  readonly #part: string
  readonly #handle: FileHandle
  readonly #nameOf: NameOf
  readonly #entries = new Turns()
  readonly #written = new Set<string>()
  #offset = 0
  #finished = false

  private constructor(file: string, part: string, handle: FileHandle, nameOf: NameOf) {
    this.#file = file
    this.#part = part
    this.#handle = handle
    this.#nameOf = nameOf
  }

  /**
   * @param nameOf  where a blob goes, by its digest
   * @throws NOT_FOUND, PERMISSION_DENIED  as the file system says
   */
  static async create(file: string, nameOf: NameOf): Promise<ArchiveWriter> {
    const special = await isSpecial(file)
    const directory = special ? os.tmpdir() : path.dirname(file)
    const part = path.join(directory, `.${path.basename(file)}.${randomBytes(6).toString('hex')}.tmp`)
    try {
      return new ArchiveWriter(file, part, await fs.open(part, 'wx+', special ? 0o600 : 0o644), nameOf)
    } catch (error) {
      throw fromErrno(error, `file ${file}`)
    }
  }

  /** Waits for its turn: an entry is written at a time. */
  async writer(init: WriterInit, { signal }: AbortOptions = {}): Promise<Writer> {
    signal?.throwIfAborted()
    const { digest, mediaType = '' } = init.expected ?? {}
    if (digest !== undefined && this.#written.has(this.#nameOf(digest, mediaType).name))
      throw new OrlopError('ALREADY_EXISTS', `content ${digest}: it is in the archive already`)
    const turn = await this.#turn()
    try {
      signal?.throwIfAborted()
      return await this.#open(init, turn)
    } catch (error) {
      turn()
      throw fromErrno(error, `file ${this.#file}`)
    }
  }

  /** Writes a file that is no blob. */
  async add(name: string, bytes: Uint8Array, { signal }: AbortOptions = {}): Promise<void> {
    const turn = await this.#turn()
    try {
      signal?.throwIfAborted()
      const head = tarHeader({ name, size: bytes.byteLength, mode: mode.file })
      await this.#append(Buffer.concat([head, bytes, paddingFor(bytes.byteLength)]))
    } catch (error) {
      throw fromErrno(error, `file ${this.#file}`)
    } finally {
      turn()
    }
  }

  /** Ends the tar and puts it where it belongs; durable when it resolves. */
  async finish({ signal }: AbortOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    try {
      await this.#append(Buffer.alloc(2 * blockSize))
      // A blob that was given up may have left bytes behind the end.
      await this.#handle.truncate(this.#offset)
      await this.#handle.sync()
      if (await isSpecial(this.#file)) await pour(this.#part, this.#file, { signal })
      else {
        await fs.rename(this.#part, await fs.realpath(this.#file).catch(() => this.#file))
        await syncDirectory(path.dirname(this.#file))
        this.#finished = true
      }
    } catch (error) {
      throw fromErrno(error, `file ${this.#file}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
    if (!this.#finished) await fs.rm(this.#part, { force: true })
  }

  /** Resolves when it is the caller's turn; the turn ends with the function that is given. */
  #turn(): Promise<() => void> {
    return new Promise(resolve => {
      void this.#entries.run('', () => new Promise<void>(ended => resolve(ended)))
    })
  }

  async #open(init: WriterInit, ended: () => void): Promise<Writer> {
    const { digest, mediaType = '' } = init.expected ?? {}
    const name = digest === undefined ? undefined : this.#nameOf(digest, mediaType)
    if (name !== undefined && this.#written.has(name.name))
      throw new OrlopError('ALREADY_EXISTS', `content ${digest}: it is in the archive already`)
    await this.#directories(name ?? this.#nameOf(placeholder, mediaType))
    return new ArchiveEntry({
      init,
      file: this.#handle,
      what: `file ${this.#file}`,
      start: this.#offset,
      nameOf: found => this.#nameOf(found, mediaType).name,
      isWritten: found => this.#written.has(found),
      ended: (found, end) => {
        if (found !== undefined) this.#written.add(found)
        this.#offset = end
        ended()
      },
    })
  }

  async #directories({ below = [] }: BlobName): Promise<void> {
    for (const name of below) {
      if (this.#written.has(name)) continue
      await this.#append(tarHeader({ name, type: 'directory', mode: mode.directory }))
      this.#written.add(name)
    }
  }

  async #append(bytes: Uint8Array): Promise<void> {
    await writeAt(this.#handle, bytes, this.#offset)
    this.#offset += bytes.byteLength
  }
}

/** Stands for a digest that is not known yet; its directories are those of any of sha256. */
const placeholder = `sha256:${'0'.repeat(64)}` as Digest

/** True for pipes and devices, and for what stands for an open file, as /dev/stdout does: these are written into. */
async function isSpecial(file: string): Promise<boolean> {
  if (/^\/(?:dev|proc)\//.test(file)) return true
  const stats = await fs.stat(file).catch(() => undefined)
  return stats !== undefined && !stats.isFile() && !stats.isDirectory()
}

async function pour(part: string, file: string, { signal }: AbortOptions): Promise<void> {
  await using to = await fs.open(file, 'w')
  for await (const chunk of createReadStream(part, { highWaterMark: 1024 * 1024 })) {
    signal?.throwIfAborted()
    await to.writeFile(chunk)
  }
}
