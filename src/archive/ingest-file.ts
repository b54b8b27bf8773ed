import { randomUUID } from 'node:crypto'
import { openWriter } from '../content/open-writer.ts'
import type { ContentStore, Writer } from '../content/types.ts'
import { hasCode, isAlreadyExists, OrlopError } from '../errors.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { digestOfPath } from './layout-files.ts'
import type { FileEvent, OnFile, StoredFile, TarEntry } from './types.ts'

/** Options of `ingestFile`. */
export interface IngestFileOptions extends AbortOptions {
  /** Names the archive in errors. */
  readonly what: string
  readonly onFile?: OnFile | undefined
}

/** A file whose bytes were taken. */
export interface Ingested {
  readonly stored: StoredFile
  /** Resolves when the store has it for good. */
  readonly committed: Promise<void>
}

/**
 * Writes the body of an entry into a store as it comes.
 *
 * A path `blobs/sha256/…` says what the digest must be; when the store has that blob nothing is read. What fails leaves no
 * ingest.
 *
 * @throws DATA_LOSS  the bytes are not what the path says, or the archive is cut off
 */
export async function ingestFile(
  content: ContentStore,
  entry: TarEntry,
  path: string,
  options: IngestFileOptions,
): Promise<Ingested> {
  const { what, onFile, signal } = options
  const { size } = entry
  const digest = digestOfPath(path)
  const tell = (type: FileEvent['type'], offset: number, found = digest): void =>
    onFile?.({ type, path, size, offset, ...(found && { digest: found }) })
  // Of its own where the bytes are not known by their digest: two archives may have different ones at one path.
  const ref = digest === undefined ? `tar-${randomUUID()}-${path.slice(0, 200)}` : `tar-${path}`
  try {
    const writer = await openWriter(content, { ref, expected: { digest, size } }, { signal })
    tell('storing', 0)
    return await write({ content, writer, entry, digest, ref, tell, where: `${what}: ${path}`, signal })
  } catch (error) {
    if (!isAlreadyExists(error) || digest === undefined) throw error
    const info = await content.info(digest, { signal })
    if (info.size !== size) throw wrongSize(`${what}: ${path}`, size, info.size)
    tell('present', size)
    return { stored: { digest, size }, committed: Promise.resolve() }
  }
}

interface Work extends AbortOptions {
  readonly content: ContentStore
  readonly writer: Writer
  readonly entry: TarEntry
  readonly digest: Digest | undefined
  readonly ref: string
  readonly where: string
  readonly tell: (type: FileEvent['type'], offset: number, digest?: Digest) => void
}

async function write(work: Work): Promise<Ingested> {
  const { content, writer, entry, digest, ref, where, tell, signal } = work
  const { size } = entry
  const drop = async (): Promise<void> => {
    await writer[Symbol.asyncDispose]()
    await content.abort(ref).catch(() => undefined)
  }
  try {
    // Shared with another namespace, the writer starts complete.
    const isWhole = digest !== undefined && writer.offset === size && writer.digest === digest
    if (!isWhole) {
      if (writer.offset > 0) await writer.reset({ signal })
      for await (const chunk of entry.body()) {
        await writer.write(chunk, { signal })
        tell('storing', writer.offset)
      }
    }
    const actual = writer.digest
    if (digest !== undefined && sameAlgorithm(actual, digest) && actual !== digest) {
      throw new OrlopError('DATA_LOSS', `${where}: its bytes are those of ${actual}`)
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

const sameAlgorithm = (a: Digest, b: Digest): boolean => a.split(':', 1)[0] === b.split(':', 1)[0]

const wrongSize = (where: string, got: number, expected: number): OrlopError =>
  new OrlopError('DATA_LOSS', `${where}: has ${got} bytes; the blob of that digest has ${expected}`)
