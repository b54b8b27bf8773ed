import fs from 'node:fs/promises'
import path from 'node:path'
import { OrlopError } from '../errors.ts'
import type { Digest } from '../oci/digest.ts'
import { errnoOf, makeDurableDirectory, SharedSyncs, syncDirectory } from './fs-durable.ts'
import type { FsLayout } from './fs-layout.ts'
import { Turns } from './turns.ts'

/** Of all stores in this process, for two may be open on one directory. Keys are absolute paths. */
const turns = new Turns()

/** Of all stores in this process. Commits that end at the same time share the sync of their directory. */
const syncs = new SharedSyncs()

/** Files that are being given their names as blobs, which others see before they are durable. Of all stores too. */
const naming = new Map<string, Promise<void>>()

/** Gives files their names as blobs, one at a time a digest, and knows which names are durable. */
export class FsPublisher {
  readonly #layout: FsLayout
  readonly #durable = new Map<string, Promise<void>>()

  constructor(layout: FsLayout) {
    this.#layout = layout
  }

  /** Runs work on a blob's file while no other such work runs on it. */
  alone<T>(digest: Digest, work: (file: string) => Promise<T>): Promise<T> {
    const file = this.#layout.blob(digest)
    return turns.run(file, () => work(file))
  }

  /**
   * Renames a synced file to its blob; durable when it resolves.
   *
   * A blob of another size that has the name was damaged, for the same digest is the same bytes; it is replaced.
   *
   * @param before  runs when it is certain that the name is free
   * @throws ALREADY_EXISTS  the blob is there
   */
  publish(data: string, digest: Digest, before: () => Promise<void>): Promise<void> {
    return this.alone(digest, async file => {
      await this.settle(digest)
      const there = await sizeOf(file)
      if (there !== undefined && there === (await sizeOf(data))) throw known(digest)
      await before()
      await this.#name(data, file)
    })
  }

  /**
   * As `publish`, but takes the place of the blob that is there: at every moment its name has the old file or the new.
   *
   * @param keep  is given the old file's path, when there is one, before it goes
   */
  replace(data: string, digest: Digest, keep: (file: string) => Promise<void>): Promise<void> {
    return this.alone(digest, async file => {
      await this.settle(digest)
      if ((await sizeOf(file)) !== undefined) await keep(file)
      await this.#name(data, file)
    })
  }

  /**
   * Refuses a digest whose blob is there, and only once its name is durable.
   *
   * @param size  what it should have; one of another size is not refused, for a damaged one can be replaced
   * @throws ALREADY_EXISTS  it is
   */
  async refuse(digest: Digest, size: number | undefined): Promise<void> {
    // In turn, for what a commit under way has renamed is not durable yet.
    const there = await this.alone(digest, sizeOf)
    if (there === undefined || (size ?? there) !== there) return
    await this.settle(digest)
    throw known(digest)
  }

  /**
   * Makes the directory of a blob, and the names in it, durable; once, for then each commit does.
   *
   * A process that died may have renamed and not synced, and a commit of this one may be between the two: what is found
   * may be told of only after this.
   */
  async settle(digest: Digest): Promise<void> {
    const file = this.#layout.blob(digest)
    const dir = path.dirname(file)
    // When it fails the directory is synced anew.
    await naming.get(file)?.catch(() => this.#durable.delete(dir))
    const before = this.#durable.get(dir)
    if (before !== undefined) return before
    const doing = makeDurableDirectory(this.#layout.root, dir).then(() => syncDirectory(dir))
    doing.catch(() => this.#durable.delete(dir))
    this.#durable.set(dir, doing)
    return doing
  }

  /** Renames a file to its blob; in its turn. */
  async #name(data: string, file: string): Promise<void> {
    const named = this.#rename(data, file)
    naming.set(file, named)
    try {
      await named
    } finally {
      naming.delete(file)
    }
  }

  async #rename(data: string, file: string): Promise<void> {
    const dir = path.dirname(file)
    await fs.rename(data, file)
    try {
      await syncs.sync(dir)
    } catch (error) {
      this.#durable.delete(dir)
      throw error
    }
  }
}

const known = (digest: Digest): OrlopError =>
  new OrlopError('ALREADY_EXISTS', `content ${digest}: it is there already`)

/** Bytes of a file; `undefined` when there is none. */
const sizeOf = async (file: string): Promise<number | undefined> => {
  try {
    const stats = await fs.stat(file)
    return stats.isFile() ? stats.size : undefined
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
