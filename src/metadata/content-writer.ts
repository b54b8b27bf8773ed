import { keptLabels } from '../content/labels.ts'
import type { RefHolder, RefLock } from '../content/ref-locks.ts'
import { Turns } from '../content/turns.ts'
import type { CommitOptions, Info, Status, Writer, WriterInit } from '../content/types.ts'
import { hasCode, isNotFound, OrlopError } from '../errors.ts'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import type { KnownParts } from './content-parts.ts'
import { type ContentScope, checkLease, recordBlob } from './content-records.ts'
import { HeldWriter } from './held-writer.ts'
import { checkLabels } from './labels.ts'

/** What a `NamespacedWriter` is made from. */
export interface NamespacedWriterInit {
  readonly parts: KnownParts
  readonly scope: ContentScope
  readonly init: WriterInit
  readonly lock: RefLock
  readonly backendRef: string
  /** The writer beneath, or one that holds the bytes; absent: the bytes are `there`, in a blob that is shared. */
  readonly inner: Writer | HeldWriter | undefined
  readonly there: Info | undefined
}

/**
 * The writer of `NamespacedContent`.
 *
 * A small blob is held in memory on the way, see `HeldWriter`.
 * When the bytes are here for another namespace it starts complete and writes nothing ("virtual"); a write or a reset makes
 * it a real one, with a copy of those bytes. A commit first makes the bytes durable beneath, then writes the record, and
 * no collection comes between.
 */
export class NamespacedWriter implements Writer, RefHolder {
  readonly #init: NamespacedWriterInit
  readonly #openedAt: Date
  readonly #turns = new Turns()
  #inner: Writer | undefined
  #open = true
  #abandoned = false

  constructor(init: NamespacedWriterInit) {
    this.#init = init
    this.#inner = init.inner
    this.#openedAt = init.parts.now()
  }

  get offset(): number {
    return this.#inner?.offset ?? this.#shared.size
  }

  get digest(): Digest {
    return this.#inner?.digest ?? this.#shared.digest
  }

  get status(): Status {
    const { ref, expected: { digest: expected } = {} } = this.#init.init
    if (this.#inner !== undefined) return { ...this.#inner.status, ref, ...(expected && { expected }) }
    const { digest, size } = this.#shared
    const at = this.#openedAt
    return { ref, offset: size, total: size, expected: digest, startedAt: at, updatedAt: at }
  }

  write(chunk: Uint8Array, options: AbortOptions = {}): Promise<void> {
    return this.#turn('write', async () => {
      options.signal?.throwIfAborted()
      if (chunk.byteLength === 0 && this.#inner === undefined) return
      const inner = this.#inner ?? (await this.#materialize(this.#shared, options))
      await inner.write(chunk, options)
    })
  }

  reset(options: AbortOptions = {}): Promise<void> {
    return this.#turn('reset', async () => {
      options.signal?.throwIfAborted()
      if (this.#inner === undefined) await this.#materialize(undefined, options)
      else await this.#inner.reset(options)
    })
  }

  commit(options: CommitOptions = {}): Promise<Digest> {
    return this.#turn('commit', async () => {
      try {
        const { digest, size } = await this.#init.parts.gate.shared(() => this.#commit(options), options)
        this.#publish(digest, size)
        return digest
      } finally {
        await this.#leave()
      }
    })
  }

  get pending(): boolean {
    return this.#init.inner instanceof HeldWriter && this.#init.inner.pending
  }

  abandon(): void {
    this.#abandoned = true
    if (this.pending && this.#init.inner instanceof HeldWriter) this.#init.inner.drop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.run('', () => this.#leave())
  }

  #turn<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#turns.run('', async () => {
      const { ref } = this.#init.init
      if (!this.#open)
        throw new OrlopError('FAILED_PRECONDITION', `ingest ${ref}: ${name} on a closed writer`)
      if (name !== 'commit') this.#refuseAborted()
      return await work()
    })
  }

  #refuseAborted(): void {
    if (this.#abandoned) throw new OrlopError('ABORTED', `ingest ${this.#init.init.ref}: was aborted`)
  }

  async #commit(options: CommitOptions): Promise<{ readonly digest: Digest; readonly size: number }> {
    const { parts, scope, init } = this.#init
    const { ref } = init
    options.signal?.throwIfAborted()
    this.#refuseAborted()
    checkLabels(`ingest ${ref}`, options.labels ?? {})
    // Asked before the bytes move, so that they stay with the ingest when it is gone.
    await parts.database.view(view => checkLease(view, scope))
    const size = this.offset
    const digest = await this.#commitBytes(options)
    this.#refuseAborted()
    const blob = { ref, digest, size, labels: keptLabels(options.labels), now: parts.now() }
    const isNew = await parts.database.update(tx => recordBlob(tx, scope, blob))
    if (this.#inner === undefined) await this.#dropLeftovers()
    if (isNew) return { digest, size }
    throw new OrlopError('ALREADY_EXISTS', `content ${digest}: namespace ${scope.namespace} has it already`)
  }

  async #commitBytes({ size, digest, signal }: CommitOptions): Promise<Digest> {
    if (this.#inner === undefined) return this.#checkShared({ size, digest, signal })
    const actual = digest ?? this.digest
    try {
      return await this.#inner.commit({ size, digest, signal })
    } catch (error) {
      // Another namespace's, or a record that a crash has prevented: the bytes were verified before they were found.
      if (hasCode(error, 'ALREADY_EXISTS')) return actual
      throw this.#inOurTerms(error)
    }
  }

  /** The store beneath names its own ref, which nobody above knows. */
  #inOurTerms(error: unknown): unknown {
    const { init, backendRef } = this.#init
    if (!hasCode(error, 'FAILED_PRECONDITION') || !(error instanceof Error)) return error
    const text = error.message.replace(`ingest ${backendRef}:`, () => `ingest ${init.ref}:`)
    return new OrlopError('FAILED_PRECONDITION', text, { cause: error })
  }

  async #checkShared({ size, digest, signal }: CommitOptions): Promise<Digest> {
    const { parts, init } = this.#init
    const there = this.#shared
    const refuse = (text: string, cause?: unknown): never => {
      throw new OrlopError('FAILED_PRECONDITION', `ingest ${init.ref}: ${text}`, { cause })
    }
    if (size !== undefined && size !== there.size) refuse(`has ${there.size} bytes, expected ${size}`)
    if (digest !== undefined && digest !== there.digest) {
      refuse(`its bytes are ${there.digest}, expected ${digest}`)
    }
    await parts.backend.info(there.digest, { signal }).catch(error => {
      if (isNotFound(error)) refuse('the shared bytes were collected meanwhile; write them anew', error)
      throw error
    })
    return there.digest
  }

  /** An earlier, real writer of this ref may have left bytes, which nobody needs now. */
  async #dropLeftovers(): Promise<void> {
    await this.#init.parts.backend.abort(this.#init.backendRef).catch(() => undefined)
  }

  /** Opens the writer beneath, with a copy of the shared bytes or empty. */
  async #materialize(copied: Info | undefined, options: AbortOptions): Promise<Writer> {
    const { backend } = this.#init.parts
    const inner = await backend.writer({ ref: this.#init.backendRef }, options)
    try {
      await inner.reset(options)
      if (copied !== undefined) {
        const target = { digest: copied.digest, size: copied.size, mediaType: '' }
        for await (const chunk of backend.read(target, options)) await inner.write(chunk, options)
      }
      this.#inner = inner
      return inner
    } catch (error) {
      await inner[Symbol.asyncDispose]()
      throw error
    }
  }

  get #shared(): Info {
    const { there, init } = this.#init
    if (there === undefined)
      throw new OrlopError('INTERNAL', `ingest ${init.ref}: neither written nor shared`)
    return there
  }

  #publish(digest: Digest, size: number): void {
    const { parts, scope, init } = this.#init
    const { mediaType = '' } = init.expected ?? {}
    const event = { digest, size, mediaType }
    parts.events?.publish({ namespace: scope.namespace, topic: '/content/create', event })
  }

  async #leave(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    try {
      await this.#inner?.[Symbol.asyncDispose]()
    } finally {
      this.#init.lock.release()
    }
  }
}
