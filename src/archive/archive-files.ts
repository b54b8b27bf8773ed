import type { ContentStore } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { algorithmOf, type Digest, Digester, digestOf } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { entryPath, linkTarget } from './entry-path.ts'
import { ingestFile, wrongBytes } from './ingest-file.ts'
import { digestOfPath, layoutFiles, maxLayoutFile } from './layout-files.ts'
import type { OnFile, StoredFile, TarEntry } from './types.ts'

/** Options of `ArchiveFiles`. */
export interface ArchiveFilesOptions extends AbortOptions {
  /** Names the archive in errors. */
  readonly what: string
  readonly onFile?: OnFile | undefined
}

/** Files on their way into the store at one time: the next are read while the disk makes the last ones durable. */
const maxCommits = 8

/** Bytes of a file that is held in memory meanwhile. */
const smallFile = 256 * 1024

/**
 * The files of an archive as they come: those that say what it holds are kept in memory, all others go into a content
 * store, where no file is written twice.
 */
export class ArchiveFiles {
  readonly #content: ContentStore
  readonly #options: ArchiveFilesOptions
  readonly #documents = new Map<string, Uint8Array>()
  readonly #files = new Map<string, StoredFile>()
  readonly #links = new Map<string, string>()
  /** Never reject: a failure waits in `#failure`. */
  readonly #commits = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined

  constructor(content: ContentStore, options: ArchiveFilesOptions) {
    this.#content = content
    this.#options = options
  }

  /**
   * Takes one entry, and reads its body where it is wanted.
   *
   * @throws INVALID_ARGUMENT  a name or link that leads out, a device, or a second entry of one name with other bytes
   * @throws DATA_LOSS  a blob whose bytes are not what its name says
   * @throws RESOURCE_EXHAUSTED  an `index.json`, `oci-layout` or `manifest.json` that is too large; nothing of it is read
   */
  async take(entry: TarEntry): Promise<void> {
    const { what } = this.#options
    const path = entryPath(entry.name, what)
    switch (entry.type) {
      case 'file':
        return this.#takeFile(entry, path)
      case 'link':
      case 'symlink':
        return this.#takeLink(path, linkTarget(entry, what))
      case 'character-device':
      case 'block-device':
      case 'fifo':
        throw this.#refuse(path, `a ${entry.type}, which an archive of images does not have`)
    }
  }

  /** Waits until all that was taken is stored. @throws what the store threw for one of them */
  async settle(): Promise<void> {
    await Promise.all(this.#commits)
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** The bytes of `oci-layout`, `index.json` or `manifest.json`; `undefined` when the archive has none. */
  document(path: string): Uint8Array | undefined {
    return this.#documents.get(path)
  }

  /** The digests of the files that are in the store now. */
  digests(): ReadonlySet<Digest> {
    return new Set([...this.#files.values()].map(({ digest }) => digest))
  }

  /**
   * The stored file at a path, links followed.
   *
   * @throws INVALID_ARGUMENT  the archive has none there, or links that lead in a circle
   */
  find(name: string): StoredFile {
    let path = entryPath(name, this.#options.what)
    for (let steps = 0; steps <= this.#links.size; steps++) {
      const file = this.#files.get(path)
      if (file !== undefined) return file
      const next = this.#links.get(path)
      if (next === undefined) throw this.#refuse(path, 'is named, and is not in the archive')
      path = next
    }
    throw this.#refuse(path, 'a link that leads to itself')
  }

  async #takeFile(entry: TarEntry, path: string): Promise<void> {
    if (this.#links.has(path)) throw this.#twice(path)
    if (Object.hasOwn(maxLayoutFile, path)) return this.#keep(entry, path)
    if (!this.#isWanted(path)) return
    const known = this.#files.get(path)
    if (known !== undefined) return this.#compare(entry, path, known)
    await this.#store(entry, path)
  }

  #takeLink(path: string, target: string): void {
    const isTaken = this.#files.has(path) || this.#documents.has(path)
    if (isTaken || (this.#links.get(path) ?? target) !== target) throw this.#twice(path)
    this.#links.set(path, target)
  }

  /** Not what `docker save` writes for versions of Docker that are long gone; nor, in a layout, what is no blob. */
  #isWanted(path: string): boolean {
    if (digestOfPath(path) !== undefined) return true
    if (path.startsWith('blobs/') || this.#documents.has(layoutFiles.layout)) return false
    return path !== 'repositories' && !/\/(?:VERSION|json)$/.test(path)
  }

  async #keep(entry: TarEntry, path: string): Promise<void> {
    const most = maxLayoutFile[path] ?? 0
    if (entry.size > most) {
      throw new OrlopError(
        'RESOURCE_EXHAUSTED',
        `${this.#options.what}: ${path}: ${entry.size} bytes, more than the ${most} that may be read into memory`,
      )
    }
    const bytes = await bytesOf(entry)
    const known = this.#documents.get(path)
    if (known !== undefined && !bytes.equals(known)) throw this.#twice(path)
    this.#documents.set(path, bytes)
  }

  async #store(entry: TarEntry, path: string): Promise<void> {
    this.#throwFailure()
    if (entry.size <= smallFile) return this.#storeSmall(entry, path)
    const file = { path, size: entry.size, digest: digestOfPath(path), body: entry.body }
    const { stored, committed } = await ingestFile(this.#content, file, this.#options)
    this.#files.set(path, stored)
    await this.#inBackground(committed)
  }

  /** Where files are many and small, the disk's answers are what takes time: several are waited for at once. */
  async #storeSmall(entry: TarEntry, path: string): Promise<void> {
    const bytes = await bytesOf(entry)
    const named = digestOfPath(path)
    const digest = digestOf(bytes, named && algorithmOf(named))
    if (named !== undefined && digest !== named) throw wrongBytes(`${this.#options.what}: ${path}`, digest)
    this.#files.set(path, { digest, size: bytes.byteLength })
    const file = { path, size: bytes.byteLength, digest, body: () => once(bytes) }
    await this.#inBackground(
      ingestFile(this.#content, file, this.#options).then(({ committed }) => committed),
    )
  }

  async #inBackground(work: Promise<void>): Promise<void> {
    const watched = work
      .catch(error => {
        this.#failure ??= { error }
      })
      .finally(() => this.#commits.delete(watched))
    this.#commits.add(watched)
    while (this.#commits.size >= maxCommits) await Promise.race(this.#commits)
    this.#throwFailure()
  }

  async #compare(entry: TarEntry, path: string, known: StoredFile): Promise<void> {
    const digester = new Digester(algorithmOf(known.digest))
    for await (const chunk of entry.body()) digester.update(chunk)
    const found: Digest = digester.digest()
    if (found !== known.digest) throw this.#twice(path)
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #twice(path: string): OrlopError {
    return this.#refuse(path, 'comes twice, and not as the same')
  }

  #refuse(path: string, why: string): OrlopError {
    const name = JSON.stringify(path.slice(0, 300))
    return new OrlopError('INVALID_ARGUMENT', `${this.#options.what}: ${name}: ${why}`)
  }
}

async function bytesOf(entry: TarEntry): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of entry.body()) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes
}
