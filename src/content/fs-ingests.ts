import fs from 'node:fs/promises'
import path from 'node:path'
import { fromErrno, OrlopError } from '../errors.ts'
import { parseFilters } from '../filters/filter.ts'
import { algorithmOf, digestOf, encodedOf } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { statusFields } from './fields.ts'
import { errnoOf, namesIn, readSmallFile } from './fs-durable.ts'
import { openIngest, readStatus, removeIngest, storeIngest } from './fs-ingest.ts'
import { type FsLayout, ingestFiles } from './fs-layout.ts'
import type { FsPublisher } from './fs-publish.ts'
import { FsWriter, type Publish } from './fs-writer.ts'
import { ifFound } from './if-found.ts'
import { ingestLocks as locks } from './ref-locks.ts'
import type { Ingester, IngestManager, Status, Writer, WriterInit } from './types.ts'

/** What the ingests of a directory need from its store. */
export interface FsIngestsInit {
  readonly layout: FsLayout
  readonly publisher: FsPublisher
  readonly publish: Publish
  readonly now: () => Date
}

/** The ingests of a content directory: one directory each. */
export class FsIngests implements Ingester, IngestManager {
  readonly #layout: FsLayout
  readonly #publisher: FsPublisher
  readonly #publish: Publish
  readonly #now: () => Date

  constructor({ layout, publisher, publish, now }: FsIngestsInit) {
    this.#layout = layout
    this.#publisher = publisher
    this.#publish = publish
    this.#now = now
  }

  async status(ref: string, { signal }: AbortOptions = {}): Promise<Status> {
    signal?.throwIfAborted()
    const dir = this.#layout.ingest(ref)
    try {
      const stored = await readStatus(dir)
      if (stored === undefined || stored.ref !== ref) throw noIngest(ref)
      // An open writer has taken more than its file shows.
      return locks.holder(dir)?.status ?? stored
    } catch (error) {
      throw fromErrno(error, `ingest ${ref}`)
    }
  }

  statuses(filters?: readonly string[], options: AbortOptions = {}): AsyncIterable<Status> {
    return this.#statuses(parseFilters(filters), options)
  }

  async *#statuses(matches: ReturnType<typeof parseFilters>, options: AbortOptions): AsyncGenerator<Status> {
    const refs: string[] = []
    for (const name of await namesIn(this.#layout.ingests)) {
      const ref = await this.#refOf(name)
      if (ref !== undefined && matches(statusFields({ ref }))) refs.push(ref)
    }
    for (const ref of refs.sort()) {
      const status = await ifFound(this.status(ref, options))
      if (status !== undefined) yield status
    }
  }

  /** The ref of a directory; `undefined` for what is no ingest, or garbled, or gone by now. */
  async #refOf(name: string): Promise<string | undefined> {
    const file = ingestFiles(path.join(this.#layout.ingests, name)).ref
    const ref = await readSmallFile(file).catch(() => undefined)
    return ref && path.basename(this.#layout.ingest(ref)) === name ? ref : undefined
  }

  async abort(ref: string, { signal }: AbortOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    const dir = this.#layout.ingest(ref)
    try {
      await fs.access(dir)
      locks.holder(dir)?.abandon()
      await fs.rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
    } catch (error) {
      throw errnoOf(error) === 'ENOENT' ? noIngest(ref) : fromErrno(error, `ingest ${ref}`)
    }
  }

  /**
   * Removes directories that are no ingests: a crash left them before their ref was written, or after their data became a
   * blob. One that a writer is making or leaving just now stays.
   */
  async removeLeftovers({ signal }: AbortOptions = {}): Promise<number> {
    let count = 0
    for (const name of await namesIn(this.#layout.ingests)) {
      signal?.throwIfAborted()
      if (await this.#removeLeftover(path.join(this.#layout.ingests, name))) count++
    }
    return count
  }

  async #removeLeftover(dir: string): Promise<boolean> {
    if (locks.isHeld(dir) || !(await isLeftover(dir)) || locks.isHeld(dir)) return false
    const lock = locks.acquire(dir, dir)
    try {
      // Once more, now that nobody can begin here.
      if (!(await isLeftover(dir))) return false
      await fs.rm(dir, { recursive: true })
      return true
    } catch (error) {
      // Whoever held it has removed it.
      if (errnoOf(error) === 'ENOENT') return false
      throw fromErrno(error, `ingest directory ${dir}`)
    } finally {
      lock.release()
    }
  }

  async writer({ ref, expected = {} }: WriterInit, { signal }: AbortOptions = {}): Promise<Writer> {
    signal?.throwIfAborted()
    if (ref === '') throw new OrlopError('INVALID_ARGUMENT', 'writer: the ref is empty')
    const dir = this.#layout.ingest(ref)
    const lock = locks.acquire(dir, ref)
    try {
      const { digest, size: total } = expected
      if (digest !== undefined) await this.#publisher.refuse(digest, total)
      const algorithm = digest === undefined ? 'sha256' : algorithmOf(digest)
      const ingest = await openIngest(dir, { ref, algorithm, total, now: this.#now(), signal })
      const writer = new FsWriter({ dir, ingest, lock, publish: this.#publish, now: this.#now })
      lock.attach(writer)
      return writer
    } catch (error) {
      lock.release()
      throw fromErrno(error, `ingest ${ref} in ${this.#layout.root}`)
    }
  }

  /** See `BytesTaker.takeIngest`. */
  async takeIngest(bytes: Uint8Array, status: Status): Promise<void> {
    const { ref } = status
    const dir = this.#layout.ingest(ref)
    const lock = locks.acquire(dir, ref)
    try {
      await storeIngest(dir, bytes, status)
    } catch (error) {
      await removeIngest(dir).catch(() => undefined)
      throw fromErrno(error, `ingest ${ref} in ${this.#layout.root}`)
    } finally {
      lock.release()
    }
  }
}

/** True for a directory of which no writer can make use: without ref or without data, or under another ref's name. */
async function isLeftover(dir: string): Promise<boolean> {
  try {
    const status = await readStatus(dir)
    return status === undefined || encodedOf(digestOf(status.ref)) !== path.basename(dir)
  } catch (error) {
    // A file that somebody else has put there.
    if (errnoOf(error) === 'ENOTDIR') return false
    throw fromErrno(error, `ingest directory ${dir}`)
  }
}

const noIngest = (ref: string): OrlopError =>
  new OrlopError('NOT_FOUND', `ingest ${JSON.stringify(ref)}: there is none`)
