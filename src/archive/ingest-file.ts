import { randomUUID } from 'node:crypto'
import { openWriter } from '../content/open-writer.ts'
import type { ContentStore, Writer } from '../content/types.ts'
import { hasCode, isAlreadyExists, OrlopError } from '../errors.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import type { FileEvent, OnFile, StoredFile } from './types.ts'

/** Options of `ingestFile`. */
export interface IngestFileOptions extends AbortOptions {
  /** Names the archive in errors. */
  readonly what: string
  readonly onFile?: OnFile | undefined
}

/** A file of an archive, with its bytes to come. */
export interface IncomingFile {
  /** In the archive. */
  readonly path: string
  readonly size: number
  /** What the bytes must be, where it is known. */
  readonly digest?: Digest | undefined
  body(): AsyncIterable<Uint8Array>
}

/** A file whose bytes were taken. */
export interface Ingested {
  readonly stored: StoredFile
  /** Resolves when the store has it for good. */
  readonly committed: Promise<void>
}

/**
 * Writes a file of an archive into a store as it comes. When the store has the blob already, nothing is read. What fails
 * leaves no ingest.
 *
 * @throws DATA_LOSS  the bytes have another digest, or the archive is cut off
 */
export async function ingestFile(
  content: ContentStore,
  file: IncomingFile,
  { what, onFile, signal }: IngestFileOptions,
): Promise<Ingested> {
  const { path, size, digest } = file
  const tell = (type: FileEvent['type'], offset: number, found = digest): void =>
    onFile?.({ type, path, size, offset, ...(found && { digest: found }) })
  // Of its own where the bytes are not known by their digest: two archives may have different ones at one path.
  const ref = digest === undefined ? `tar-${randomUUID()}-${path.slice(0, 200)}` : `tar-${digest}`
  const where = `${what}: ${path}`
  try {
    const writer = await openWriter(content, { ref, expected: { digest, size } }, { signal })
    tell('storing', 0)
    return await write({ content, writer, file, ref, tell, where, signal })
  } catch (error) {
    if (!isAlreadyExists(error) || digest === undefined) throw error
    const info = await content.info(digest, { signal })
    if (info.size !== size) throw wrongSize(where, size, info.size)
    tell('present', size)
    return { stored: { digest, size }, committed: Promise.resolve() }
  }
}

interface Work extends AbortOptions {
  readonly content: ContentStore
  readonly writer: Writer
  readonly file: IncomingFile
  readonly ref: string
  readonly where: string
  readonly tell: (type: FileEvent['type'], offset: number, digest?: Digest) => void
}

async function write(work: Work): Promise<Ingested> {
  const { content, writer, file, ref, where, tell, signal } = work
  const { size, digest } = file
  const drop = async (): Promise<void> => {
    await writer[Symbol.asyncDispose]()
    await content.abort(ref).catch(() => undefined)
  }
  try {
    // Shared with another namespace, the writer starts complete.
    const isWhole = digest !== undefined && writer.offset === size && writer.digest === digest
    if (!isWhole) {
      if (writer.offset > 0) await writer.reset({ signal })
      for await (const chunk of file.body()) {
        await writer.write(chunk, { signal })
        tell('storing', writer.offset)
      }
    }
    const actual = writer.digest
    if (digest !== undefined && sameAlgorithm(actual, digest) && actual !== digest) {
      throw wrongBytes(where, actual)
    }
    const stored = { digest: digest ?? actual, size }
    const committed = writer
      .commit({ size, digest: stored.digest, signal })
      .catch(async (error: unknown) => {
        if (isAlreadyExists(error)) return
        await drop()
        throw hasCode(error, 'FAILED_PRECONDITION')
          ? new OrlopError('DATA_LOSS', `${where}: its bytes are not those of its name`, { cause: error })
          : error
      })
      .then(() => tell('stored', size, stored.digest))
    return { stored, committed }
  } catch (error) {
    await drop()
    throw error
  }
}

/** The error for a blob whose name says something else. */
export const wrongBytes = (where: string, actual: Digest): OrlopError =>
  new OrlopError('DATA_LOSS', `${where}: its bytes are those of ${actual}`)

const sameAlgorithm = (a: Digest, b: Digest): boolean => a.split(':', 1)[0] === b.split(':', 1)[0]

const wrongSize = (where: string, got: number, expected: number): OrlopError =>
  new OrlopError('DATA_LOSS', `${where}: has ${got} bytes; the blob of that digest has ${expected}`)
