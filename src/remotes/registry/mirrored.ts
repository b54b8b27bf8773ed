import { firstOf } from '../../content/first-of.ts'
import { checkRange } from '../../content/range.ts'
import type { ReadOptions, Target } from '../../content/types.ts'
import { isNotFound, OrlopError } from '../../errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { type Digest, isDigest } from '../../oci/digest.ts'
import { isManifestOrIndex, isSchema1 } from '../../oci/media-type.ts'
import type { AbortOptions } from '../../options.ts'
import type { FetchedManifest, ListOptions, ReferrersOptions, RemoteRepository } from '../types.ts'
import { firstAnswer, firstList } from './first-answer.ts'
import type { Capability } from './hosts.ts'
import type { Repository } from './repository.ts'
import type { SharedReads } from './shared-reads.ts'

/**
 * One repository at several endpoints, tried in order: mirrors first, the registry itself last.
 *
 * What may be stale at a mirror, tags and what they point at, is asked only of those that may resolve. A blob is read on
 * at the next endpoint, at the byte where the one before failed.
 */
export class MirroredRepository implements RemoteRepository {
  readonly #name: string
  readonly #all: readonly Repository[]
  readonly #reads: SharedReads

  /**
   * @param name  of the repository, as references name it
   * @param repositories  all may be pulled from
   * @param reads  shared by all of this name
   */
  constructor(name: string, repositories: readonly Repository[], reads: SharedReads) {
    this.#name = name
    this.#all = repositories
    this.#reads = reads
  }

  read(target: Target, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    checkRange(options)
    const [only] = this.#all
    const from = this.#all.length === 1 && only ? only : firstOf(...this.#all)
    // Refused or shared elsewhere.
    if (isManifestOrIndex(target) || isSchema1(target)) return from.read(target, options)
    const { digest, size } = target
    const open = (part: ReadOptions): AsyncIterable<Uint8Array> => from.read(target, part)
    return this.#reads.read(`${this.#name} ${digest} ${size}`, size, options, open)
  }

  resolve(name: string, options: AbortOptions = {}): Promise<Descriptor> {
    return firstAnswer(this.#for(name), at => at.resolve(name, options), options)
  }

  manifest(name: string, options: AbortOptions = {}): Promise<FetchedManifest> {
    return firstAnswer(this.#for(name), at => at.manifest(name, options), options)
  }

  async has(target: Pick<Descriptor, 'digest' | 'mediaType'>, options: AbortOptions = {}): Promise<boolean> {
    let failure: unknown
    for (const repository of this.#all) {
      try {
        if (await repository.has(target, options)) return true
      } catch (error) {
        options.signal?.throwIfAborted()
        failure ??= error
      }
    }
    // One that cannot be asked may have it.
    if (failure !== undefined) throw failure
    return false
  }

  tags(options: ListOptions = {}): AsyncIterable<string> {
    return firstList(
      this.#resolving().map(at => at.tags(options)),
      options,
    )
  }

  /** The tag counts only where no host has the API: one whose API fails may have more than its tag tells. */
  referrers(digest: Digest, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    const byApi = this.#able('referrers').map(at => at.referrersByApi(digest, options))
    const byTag = this.#able('resolve').map(at => at.referrersByTag(digest, options))
    const lists = [firstList(byApi, options), firstList(byTag, options), none()]
    return firstList(lists, { ...options, passOver: isNotFound })
  }

  /** Those that may be asked for a tag, or for a digest. */
  #for(name: string): readonly Repository[] {
    return isDigest(name) ? this.#all : this.#resolving()
  }

  #resolving(): readonly Repository[] {
    const able = this.#able('resolve')
    if (able.length > 0) return able
    throw new OrlopError('FAILED_PRECONDITION', `${this.#name}: no host is configured to resolve tags at`)
  }

  #able(needed: Capability): readonly Repository[] {
    return this.#all.filter(({ capabilities }) => capabilities.has(needed))
  }
}

async function* none(): AsyncGenerator<never> {}
