import { checkRange } from '../../content/range.ts'
import type {
  ContentStore,
  Info,
  LabelsChange,
  ReadOptions,
  Status,
  Target,
  Writer,
  WriterInit,
} from '../../content/types.ts'
import { parseFilters } from '../../filters/filter.ts'
import type { Digest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import { collected, gone } from './again.ts'
import type { Membership } from './membership.ts'
import { type ContentOf, openSharedWriter } from './writer.ts'

/** The content of a store that others may own: reads go on, and changes are made again, when an owner ends beneath them. */
export class SharedContent implements ContentStore {
  readonly #membership: Membership
  readonly #of: ContentOf

  constructor(membership: Membership, of: ContentOf) {
    this.#membership = membership
    this.#of = of
  }

  read(target: Target, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    checkRange(options)
    return this.#read(target, options)
  }

  async *#read(
    target: Target,
    { offset = 0, length = Number.POSITIVE_INFINITY, signal }: ReadOptions,
  ): AsyncGenerator<Uint8Array> {
    const end = offset + length
    for (let at = offset; ; ) {
      const member = await this.#membership.member()
      const rest = { offset: at, ...(Number.isFinite(end) && { length: end - at }), signal }
      try {
        for await (const chunk of this.#of(member.store).read(target, rest)) {
          at += chunk.byteLength
          yield chunk
        }
        return
      } catch (error) {
        await this.#membership.recover(member, error, { signal })
      }
    }
  }

  info(digest: Digest, options: AbortOptions = {}): Promise<Info> {
    return this.#membership.run(store => this.#of(store).info(digest, options), options)
  }

  update(digest: Digest, change: LabelsChange, options: AbortOptions = {}): Promise<Info> {
    return this.#membership.run(store => this.#of(store).update(digest, change, options), options)
  }

  list(filters: readonly string[] = [], options: AbortOptions = {}): AsyncIterable<Info> {
    parseFilters(filters)
    return this.#list(filters, options)
  }

  /** In order of digest, so that a second list goes on behind the last one that was given. */
  async *#list(filters: readonly string[], options: AbortOptions): AsyncGenerator<Info> {
    for (let last = ''; ; ) {
      const member = await this.#membership.member()
      try {
        for await (const info of this.#of(member.store).list(filters, options)) {
          if (info.digest <= last) continue
          last = info.digest
          yield info
        }
        return
      } catch (error) {
        await this.#membership.recover(member, error, options)
      }
    }
  }

  delete(digest: Digest, options: AbortOptions = {}): Promise<void> {
    return this.#membership.run(
      (store, isRepeated) => gone(this.#of(store).delete(digest, options), isRepeated),
      options,
    )
  }

  status(ref: string, options: AbortOptions = {}): Promise<Status> {
    return this.#membership.run(store => this.#of(store).status(ref, options), options)
  }

  statuses(filters: readonly string[] = [], options: AbortOptions = {}): AsyncIterable<Status> {
    parseFilters(filters)
    return collected(this.#membership, store => this.#of(store).statuses(filters, options), options)
  }

  abort(ref: string, options: AbortOptions = {}): Promise<void> {
    return this.#membership.run(
      (store, isRepeated) => gone(this.#of(store).abort(ref, options), isRepeated),
      options,
    )
  }

  writer(init: WriterInit, options: AbortOptions = {}): Promise<Writer> {
    return openSharedWriter({ membership: this.#membership, of: this.#of, init }, options)
  }
}
