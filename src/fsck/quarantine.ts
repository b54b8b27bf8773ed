import fs from 'node:fs/promises'
import path from 'node:path'
import { errnoOf, makeDurableDirectory, syncDirectory } from '../content/fs-durable.ts'
import { fromErrno } from '../errors.ts'
import { algorithmOf, type Digest, encodedOf } from '../oci/digest.ts'

/** Systems and file systems that have no second names for a file. */
const noLink = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS', 'EXDEV'])

/**
 * A directory for what a repair takes out of the store: `<root>/quarantine/<time>/`, made when it is first needed.
 *
 * What is put there is durable when the call resolves, and each thing has a note that says why it is there. Nothing in
 * orlop reads or deletes it again.
 */
export class Quarantine {
  readonly #root: string
  readonly #name: string
  #directory: Promise<string> | undefined

  /** @param root  of the store */
  constructor(root: string, now: Date) {
    this.#root = path.resolve(root)
    this.#name = now.toISOString().replaceAll(/[:.]/g, '-')
  }

  /** The directory, once something is in it. */
  get path(): Promise<string> | undefined {
    return this.#directory
  }

  /** Gives a blob's file a second name here: `blobs/<algorithm>/<hex>`, with a note beside it. The first name stays. */
  async keepBlob(file: string, digest: Digest, note: object): Promise<string> {
    try {
      const directory = path.join(await this.#open(), 'blobs', algorithmOf(digest))
      await makeDurableDirectory(this.#root, directory)
      const kept = path.join(directory, encodedOf(digest))
      await linkOrCopy(file, kept)
      await writeDurably(`${kept}.json`, `${JSON.stringify({ digest, ...note }, undefined, 2)}\n`)
      await syncDirectory(directory)
      return kept
    } catch (error) {
      throw fromErrno(error, `quarantine of ${digest}`)
    }
  }

  /** Appends records as they were, as JSON lines: `records.jsonl`. */
  async keepRecords(
    records: ReadonlyArray<{ readonly key: string; readonly raw: string; readonly why: string }>,
  ) {
    const file = path.join(await this.#open(), 'records.jsonl')
    try {
      await writeDurably(file, records.map(record => `${JSON.stringify(record)}\n`).join(''), 'a')
      await syncDirectory(path.dirname(file))
      return file
    } catch (error) {
      throw fromErrno(error, `quarantine ${file}`)
    }
  }

  /** Moves a whole directory here. */
  async keepDirectory(directory: string): Promise<string> {
    const kept = path.join(await this.#open(), path.basename(directory))
    try {
      await fs.rename(directory, kept)
      await syncDirectory(path.dirname(kept))
      await syncDirectory(path.dirname(directory))
      return kept
    } catch (error) {
      throw fromErrno(error, `quarantine of ${directory}`)
    }
  }

  #open(): Promise<string> {
    this.#directory ??= this.#make()
    return this.#directory
  }

  async #make(): Promise<string> {
    const all = path.join(this.#root, 'quarantine')
    try {
      await fs.mkdir(all, { recursive: true, mode: 0o700 })
      for (let turn = 1; ; turn++) {
        const directory = path.join(all, turn === 1 ? this.#name : `${this.#name}-${turn}`)
        const made = await fs.mkdir(directory, { mode: 0o700 }).then(() => true, unlessExists)
        if (!made) continue
        await makeDurableDirectory(this.#root, directory)
        return directory
      }
    } catch (error) {
      this.#directory = undefined
      throw fromErrno(error, `quarantine ${all}`)
    }
  }
}

const unlessExists = (error: unknown): false => {
  if (errnoOf(error) !== 'EEXIST') throw error
  return false
}

async function linkOrCopy(file: string, kept: string): Promise<void> {
  try {
    await fs.link(file, kept)
  } catch (error) {
    if (!noLink.has(errnoOf(error) ?? '')) throw error
    await fs.copyFile(file, kept, fs.constants.COPYFILE_EXCL)
    await using handle = await fs.open(kept, 'r')
    await handle.sync()
  }
}

async function writeDurably(file: string, text: string, flags = 'w'): Promise<void> {
  await using handle = await fs.open(file, flags, 0o600)
  await handle.writeFile(text)
  await handle.sync()
}
