import { OrlopError } from '../errors.ts'
import type { Status } from './types.ts'

/** Who holds a ref: a writer that can tell its state, and that can be told that its ingest is gone. */
export interface RefHolder {
  readonly status: Status
  /** True while the ingest is nowhere but in this writer. */
  readonly pending?: boolean
  /** The ingest was thrown away; whatever the writer does next fails. */
  abandon(): void
}

/** A held ref. Letting go twice is harmless, also when somebody else holds it by then. */
export interface RefLock {
  attach(holder: RefHolder): void
  release(): void
}

interface Entry {
  readonly since: number
  holder?: RefHolder
}

/** One writer a ref. A key is whatever tells refs apart: the ref itself, or the path of its ingest. */
export class RefLocks {
  readonly #held = new Map<string, Entry>()

  /** @throws UNAVAILABLE  the key is held; the text says since when */
  acquire(key: string, ref: string): RefLock {
    const held = this.#held.get(key)
    if (held !== undefined) {
      const since = new Date(held.since).toISOString()
      throw new OrlopError(
        'UNAVAILABLE',
        `ref ${ref}: another writer has held it for ${Date.now() - held.since} ms, since ${since}`,
      )
    }
    const entry: Entry = { since: Date.now() }
    this.#held.set(key, entry)
    return {
      attach: holder => {
        entry.holder = holder
      },
      release: () => {
        if (this.#held.get(key) === entry) this.#held.delete(key)
      },
    }
  }

  /** True while somebody holds a key, its writer open or not yet. */
  isHeld(key: string): boolean {
    return this.#held.has(key)
  }

  /** The writers that hold keys which begin so, in no order, with the rest of their keys. */
  *holders(prefix: string): Generator<readonly [rest: string, holder: RefHolder]> {
    for (const [key, { holder }] of this.#held) {
      if (holder !== undefined && key.startsWith(prefix)) yield [key.slice(prefix.length), holder]
    }
  }

  /** The writer that holds a key, once it is open. */
  holder(key: string): RefHolder | undefined {
    return this.#held.get(key)?.holder
  }
}

/** Of the directories in `ingest/`, by absolute paths: of all stores in this process, for two may be open on one. */
export const ingestLocks = new RefLocks()
