import { interruption } from '../../content/interrupted.ts'
import { Turns } from '../../content/turns.ts'
import type { CommitOptions, ContentStore, Status, Writer, WriterInit } from '../../content/types.ts'
import { isAlreadyExists, OrlopError } from '../../errors.ts'
import type { Digest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import type { Store } from '../../runtime/store.ts'
import { fateOf } from '../fate.ts'
import type { Membership } from './membership.ts'

/** Finds the content of a namespace, and perhaps a lease, in a store. */
export type ContentOf = (store: Store) => ContentStore

interface Place {
  readonly membership: Membership
  readonly of: ContentOf
  readonly init: WriterInit
}

/** Opens or resumes an ingest in a store that others may own. Throws as `Ingester.writer`. */
export async function openSharedWriter(place: Place, options: AbortOptions): Promise<Writer> {
  return new SharedWriter(place, await open(place, options))
}

const open = ({ membership, of, init }: Place, options: AbortOptions): Promise<Writer> =>
  membership.run(store => of(store).writer(init, options), options)

/** A writer that opens its ref again, with the next owner, when its owner ends beneath it. */
class SharedWriter implements Writer {
  readonly #place: Place
  readonly #turns = new Turns()
  #writer: Writer

  constructor(place: Place, writer: Writer) {
    this.#place = place
    this.#writer = writer
  }

  get offset(): number {
    return this.#writer.offset
  }

  get digest(): Digest {
    return this.#writer.digest
  }

  get status(): Status {
    return this.#writer.status
  }

  write(chunk: Uint8Array, options: AbortOptions = {}): Promise<void> {
    return this.#turns.run('', async () => {
      const start = this.offset
      const end = start + chunk.byteLength
      do {
        try {
          await this.#writer.write(chunk.subarray(this.offset - start), options)
        } catch (error) {
          await this.#reopen(error, { start, end }, options)
        }
      } while (this.offset < end)
    })
  }

  reset(options: AbortOptions = {}): Promise<void> {
    return this.#turns.run('', async () => {
      try {
        await this.#writer.reset(options)
      } catch (error) {
        await this.#reopen(error, { start: 0, end: Number.POSITIVE_INFINITY }, options)
        await this.#writer.reset(options)
      }
    })
  }

  commit(options: CommitOptions = {}): Promise<Digest> {
    return this.#turns.run('', () => this.#commit(options))
  }

  async #commit(options: CommitOptions): Promise<Digest> {
    const { offset, digest } = this.#writer
    for (let isRepeated = false; ; isRepeated = true) {
      try {
        return await this.#writer.commit(options)
      } catch (error) {
        const wanted = options.digest ?? digest
        if (isRepeated && isAlreadyExists(error)) return await this.#label(wanted, options)
        try {
          await this.#reopen(error, { start: offset, end: offset }, options)
        } catch (failure) {
          // By us, or by somebody who was faster.
          if (failure === error || !isAlreadyExists(failure)) throw failure
          return await this.#label(wanted, options)
        }
      }
    }
  }

  /** The blob is there, and has the labels if it was this commit that made it. */
  async #label(digest: Digest, { labels = {}, signal }: CommitOptions): Promise<Digest> {
    const { membership, of } = this.#place
    await membership.run(store => of(store).update(digest, { labels }, { signal }), { signal })
    return digest
  }

  /** Goes on with the next owner, if it has at least `start` bytes, and at most `end`; else throws what the first said. */
  async #reopen(
    error: unknown,
    { start, end }: { readonly start: number; readonly end: number },
    options: AbortOptions,
  ): Promise<void> {
    if (fateOf(error) === undefined) throw error
    await this.#writer[Symbol.asyncDispose]()
    const { ref } = this.#place.init
    const writer = await open(this.#place, options)
    if (writer.offset >= start && writer.offset <= end) {
      this.#writer = writer
      return
    }
    await writer[Symbol.asyncDispose]()
    throw interruption(
      new OrlopError(
        'UNAVAILABLE',
        `ingest ${ref}: the process that held the store ended; ${writer.offset} bytes are there, run it again to go on`,
        { cause: error },
      ),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.run('', async () => this.#writer[Symbol.asyncDispose]())
  }
}
