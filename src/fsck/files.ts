import type { Stats } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { errnoOf, namesIn } from '../content/fs-durable.ts'
import { readStatus } from '../content/fs-ingest.ts'
import type { FsLayout } from '../content/fs-layout.ts'
import { digestFile } from '../content/hash-file.ts'
import { fromErrno, hasCode } from '../errors.ts'
import { dispatch } from '../handlers/dispatch.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../oci/digest.ts'
import { maxManifestSize } from '../oci/document.ts'
import type { AbortOptions } from '../options.ts'
import { type Document, documentOf, mayBeDocument } from './documents.ts'

/** A blob's file and what its bytes are. */
export interface BlobFile {
  readonly digest: Digest
  /** Bytes on the disk. */
  readonly size: number
  readonly modifiedAt: Date
  /** What the bytes hash to; absent when they were not read, or could not be. */
  readonly actual?: Digest
  /** Why the bytes could not be read. */
  readonly problem?: string
  /** Of right bytes only. */
  readonly document?: Document
}

/** How the files of blobs are read. */
export interface ReadFilesOptions extends AbortOptions {
  /** True: only what may be an index or manifest is read. */
  readonly quick?: boolean | undefined
  /** Files at one time; default 4. */
  readonly concurrency?: number | undefined
  /** Told of each file that was looked at. */
  readonly onFile?: ((file: BlobFile) => void) | undefined
}

/** What lies in `blobs/`. */
export interface BlobFiles {
  readonly files: ReadonlyMap<Digest, BlobFile>
  /** Paths of what is there and no blob can be. */
  readonly strays: readonly string[]
}

/** Looks at every file of `blobs/`, at most two MiB of each in memory, or four of a document. */
export async function readFiles(layout: FsLayout, options: ReadFilesOptions = {}): Promise<BlobFiles> {
  const { signal, concurrency = 4, onFile } = options
  const { digests, strays } = await listBlobs(layout)
  const files = new Map<Digest, BlobFile>()
  const others = [...strays]
  const visit = async (digest: Digest): Promise<void> => {
    const file = await readFile(layout, digest, options)
    if (file === 'stray') others.push(layout.blob(digest))
    if (file === undefined || file === 'stray') return
    files.set(digest, file)
    onFile?.(file)
  }
  const maxNodes = Number.POSITIVE_INFINITY
  await dispatch<Digest>(async () => [], visit, digests, { concurrency, maxNodes, key: String, signal })
  return { files, strays: others.sort() }
}

async function listBlobs(layout: FsLayout) {
  const digests: Digest[] = []
  const strays: string[] = []
  for (const algorithm of await namesIn(layout.blobs)) {
    const directory = path.join(layout.blobs, algorithm)
    if (!(await statOf(directory))?.isDirectory()) {
      strays.push(directory)
      continue
    }
    for (const name of await namesIn(directory)) {
      const digest = `${algorithm}:${name}`
      if (isDigest(digest)) digests.push(digest)
      else strays.push(path.join(directory, name))
    }
  }
  return { digests, strays }
}

/** One blob's file; `undefined` when there is none, `stray` for what is no file. */
export async function readFile(
  layout: FsLayout,
  digest: Digest,
  options: ReadFilesOptions = {},
): Promise<BlobFile | 'stray' | undefined> {
  const stats = await statOf(layout.blob(digest))
  if (stats === undefined) return undefined
  if (!stats.isFile()) return 'stray'
  const base = { digest, size: stats.size, modifiedAt: stats.mtime }
  try {
    return { ...base, ...(await readBytes(layout.blob(digest), base, options)) }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    const failure = fromErrno(error, `content ${digest}`)
    if (!hasCode(failure, 'DATA_LOSS')) throw failure
    return { ...base, problem: failure instanceof Error ? failure.message : String(failure) }
  }
}

async function readBytes(
  file: string,
  { digest, size }: Pick<BlobFile, 'digest' | 'size'>,
  { quick = false, signal }: ReadFilesOptions,
): Promise<Pick<BlobFile, 'actual' | 'document'>> {
  signal?.throwIfAborted()
  await using handle = await fs.open(file, 'r')
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, 0)
  if (bytesRead === 1 && mayBeDocument(buffer[0], size)) {
    const bytes = await handle.readFile()
    const actual = digestOf(bytes, algorithmOf(digest))
    const document = actual === digest && bytes.length <= maxManifestSize ? documentOf(bytes) : undefined
    return { actual, ...(document && { document }) }
  }
  if (quick) return {}
  return { actual: (await digestFile(handle, algorithmOf(digest), { signal })).digest }
}

/** A directory of `ingest/`. */
export interface IngestFile {
  /** The last part of its path. */
  readonly name: string
  /** Absent when it cannot be read. */
  readonly ref?: string
  /** Bytes of its data. */
  readonly size: number
}

/** Every directory of `ingest/`. */
export async function readIngests(
  layout: FsLayout,
  { signal }: AbortOptions = {},
): Promise<readonly IngestFile[]> {
  const found: IngestFile[] = []
  for (const name of await namesIn(layout.ingests)) {
    signal?.throwIfAborted()
    const directory = path.join(layout.ingests, name)
    const status = await readStatus(directory).catch((error: unknown) => {
      // A file in the place of a directory is nobody's ingest either.
      if (errnoOf(error) !== 'ENOTDIR') throw fromErrno(error, `ingest directory ${directory}`)
      return undefined
    })
    const whole = status !== undefined && path.basename(layout.ingest(status.ref)) === name
    found.push({ name, size: status?.offset ?? 0, ...(whole && { ref: status.ref }) })
  }
  return found
}

/** What is at a path; `undefined` when nothing is. */
export async function statOf(file: string): Promise<Stats | undefined> {
  try {
    return await fs.stat(file)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw fromErrno(error, file)
  }
}
