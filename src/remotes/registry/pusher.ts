import type { Writer, WriterInit } from '../../content/types.ts'
import { OrlopError } from '../../errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { isIndex, isManifest, isSchema1 } from '../../oci/media-type.ts'
import { parseReference, type Reference, repositoryName } from '../../oci/reference.ts'
import type { AbortOptions } from '../../options.ts'
import type { Pusher, PusherOptions } from '../types.ts'
import { headOf, type PushPlace } from './head.ts'
import { enlistManifest, ManifestUpload, pushManifest } from './manifest-upload.ts'
import { fetchManifest } from './manifests.ts'
import { mountBlob, mountCandidate } from './mount.ts'
import { PushIngest, type Sink } from './push-ingest.ts'
import type { PushState } from './push-state.ts'
import { PushWriter } from './push-writer.ts'
import { BlobUpload } from './upload.ts'
import type { UploadSession } from './upload-session.ts'
import { SmallUpload, smallBlob } from './upload-small.ts'

/** What a `RepositoryPusher` is made from. */
export interface RepositoryPusherParts extends PushPlace {
  /** What was asked for. */
  readonly reference: Reference
  readonly state: PushState
  readonly options: PusherOptions
}

type Expected = NonNullable<WriterInit['expected']>

/**
 * One repository at one endpoint, to write.
 *
 * What the registry has is not sent again, and what another repository of it has is mounted from there. An upload that
 * broke is gone on with, in this process, by whoever opens its ref again. Who opens a ref that is held waits.
 */
export class RepositoryPusher implements Pusher {
  readonly #parts: RepositoryPusherParts
  /** Repositories that a blob could not be mounted from. */
  readonly #closed = new Set<string>()

  constructor(parts: RepositoryPusherParts) {
    this.#parts = parts
  }

  async writer(init: WriterInit, { signal }: AbortOptions = {}): Promise<Writer> {
    signal?.throwIfAborted()
    const { ref, expected = {} } = init
    if (ref === '') throw new OrlopError('INVALID_ARGUMENT', 'writer: the ref is empty')
    const { ingests } = this.#parts.state
    const key = JSON.stringify([this.#parts.repository, this.#tagOf(expected), ref])
    const closed = await this.#parts.state.hold(key, { signal })
    try {
      const before = ingests.get(key)
      if (before?.isFor(init)) await before.resume({ signal })
      else await before?.reset({ signal })
      const ingest = before?.isFor(init)
        ? before
        : new PushIngest(init, await this.#sink(expected, { signal }))
      ingests.set(key, ingest)
      return new PushWriter(ingest, { closed, committed: () => ingests.delete(key) })
    } catch (error) {
      closed()
      throw error
    }
  }

  async tag(reference: string, target: Descriptor, { signal }: AbortOptions = {}): Promise<void> {
    const { reference: own, endpoint, repository } = this.#parts
    const { tag, ...name } = parseReference(reference)
    if (tag === undefined || repositoryName(name) !== repositoryName(own))
      throw new OrlopError('INVALID_ARGUMENT', `reference ${reference}: not a tag of ${repositoryName(own)}`)
    if (await this.#hasManifest(tag, target.digest, { signal })) return
    const { bytes } = await fetchManifest(endpoint, repository, target.digest, { signal })
    await pushManifest({ ...this.#parts, tag }, { mediaType: target.mediaType, bytes }, target.digest, {
      signal,
    })
  }

  enlist({ digest }: Descriptor, options: AbortOptions = {}): Promise<void> {
    return enlistManifest(this.#parts, digest, options)
  }

  /** The tag that these bytes are for: what the reference has beside their digest. */
  #tagOf({ digest }: Expected): string | undefined {
    const { tag, digest: tagged } = this.#parts.reference
    return digest !== undefined && digest === tagged ? tag : undefined
  }

  /** @throws ALREADY_EXISTS  the registry has it, or has mounted it just now */
  async #sink(expected: Expected, options: AbortOptions): Promise<Sink> {
    const { mediaType = '', digest } = expected
    if (isSchema1({ mediaType }))
      throw new OrlopError('UNIMPLEMENTED', `${digest}: Docker schema 1 manifests are not supported`)
    if (!isManifest({ mediaType }) && !isIndex({ mediaType })) return this.#blob(expected, options)
    const tag = this.#tagOf(expected)
    if (digest !== undefined && (await this.#hasManifest(tag ?? digest, digest, options)))
      throw this.#known(
        `manifest ${digest}`,
        tag === undefined ? 'is there already' : `is ${tag} there already`,
      )
    return new ManifestUpload({ ...this.#parts, tag }, mediaType)
  }

  async #blob({ digest, size }: Expected, options: AbortOptions): Promise<Sink> {
    const { state, endpoint, repository } = this.#parts
    const exists = (of: Digest, abort: AbortOptions): Promise<boolean> => this.#hasBlob(of, size, abort)
    const place = { endpoint, repository, what: this.#what(digest) }
    const session = digest && (await this.#absent(digest, size, options))
    const parts = { place, habits: state.habits, digest, size, session, exists }
    return size !== undefined && size <= smallBlob ? new SmallUpload(parts) : new BlobUpload(parts)
  }

  /**
   * Makes sure that a blob must be sent; gives the upload that the registry began where it would not mount.
   *
   * @throws ALREADY_EXISTS  it must not
   */
  async #absent(
    digest: Digest,
    size: number | undefined,
    options: AbortOptions,
  ): Promise<UploadSession | undefined> {
    if (await this.#hasBlob(digest, size, options)) throw this.#known(`blob ${digest}`, 'is there already')
    const { endpoint, repository, options: given } = this.#parts
    const sources = (await given.sources?.(digest, options)) ?? []
    const from = mountCandidate(
      repository,
      sources.filter(name => !this.#closed.has(name)),
    )
    if (from === undefined) return undefined
    const mounted = await mountBlob({ endpoint, repository, what: this.#what(digest) }, digest, from, options)
    if (mounted.type === 'mounted') {
      given.onMounted?.(digest, from)
      throw this.#known(`blob ${digest}`, `was mounted from ${from}`)
    }
    this.#closed.add(from)
    return mounted.session
  }

  async #hasBlob(digest: Digest, size: number | undefined, options: AbortOptions): Promise<boolean> {
    const head = await headOf(this.#parts, `blobs/${digest}`, this.#what(digest), options)
    // Of another size it is damaged there; sending it mends it.
    return head !== undefined && (head.size === undefined || size === undefined || head.size === size)
  }

  async #hasManifest(name: string, digest: Digest, options: AbortOptions): Promise<boolean> {
    const { endpoint, repository } = this.#parts
    const what = `${endpoint.host.name}/${repository}${name === digest ? '@' : ':'}${name}`
    const head = await headOf(this.#parts, `manifests/${name}`, what, options)
    return head !== undefined && (head.digest === digest || (head.digest === undefined && name === digest))
  }

  #what(digest: Digest | undefined): string {
    const { endpoint, repository } = this.#parts
    return `${endpoint.host.name}/${repository}: blob ${digest ?? 'of a digest not known yet'}`
  }

  #known(what: string, how: string): OrlopError {
    const { endpoint, repository } = this.#parts
    return new OrlopError('ALREADY_EXISTS', `${endpoint.host.name}/${repository}: ${what} ${how}`)
  }
}
