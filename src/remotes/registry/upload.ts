import { interruption } from '../../content/interrupted.ts'
import { OrlopError } from '../../errors.ts'
import type { Digest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import { hasStatus, RegistryError } from './error.ts'
import type { Sink } from './push-ingest.ts'
import { confirmStored, isSpoiled, spoiled, type UploadParts } from './upload-end.ts'
import { isLost, isUnsupported } from './upload-habits.ts'
import { UploadPatience } from './upload-patience.ts'
import { type SegmentInit, UploadSegment } from './upload-segment.ts'
import { startUpload, type UploadSession } from './upload-session.ts'

/**
 * Sends one blob as a stream.
 *
 * The whole goes with one request, as Docker sends it, for all registries take that; in parts only where the registry, or
 * a proxy before it, refuses the whole for its size. What breaks in the middle is marked as an interruption: `resume`
 * asks the registry what it has, and writing goes on there.
 */
export class BlobUpload implements Sink {
  readonly holds = 0
  readonly #parts: UploadParts
  readonly #patience: UploadPatience
  #session: UploadSession | undefined
  #segment: UploadSegment | undefined
  #stop = new AbortController()
  /** What the registry did not take where it stood. */
  #refused: SegmentInit | undefined
  #stored = false
  /** It went on where it broke: whether all bytes came to lie in order nobody knows yet. */
  #isPieced = false

  constructor(parts: UploadParts) {
    this.#parts = parts
    this.#session = parts.session
    this.#patience = new UploadPatience(parts.place)
  }

  write(chunk: Uint8Array, { signal }: AbortOptions): Promise<void> {
    return this.#until(signal, async () => {
      for (let rest = chunk; rest.byteLength > 0; ) {
        this.#segment ??= await this.#begin()
        rest = await this.#segment.push(rest)
        if (this.#segment.isOver) await this.#end(this.#segment)
      }
    })
  }

  commit(digest: Digest, _held: Uint8Array, { signal }: AbortOptions): Promise<void> {
    return this.#until(signal, async () => {
      if (this.#segment) await this.#end(this.#segment)
      while (!this.#stored) await this.#finish(digest)
      this.#session = undefined
    })
  }

  resume({ signal }: AbortOptions): Promise<number> {
    this.release()
    this.#stop = new AbortController()
    return this.#until(signal, async () => {
      await this.#patience.wait(this.#options)
      const at = await this.#synced()
      // Where it stands the registry wants bytes; so it was their number that it did not take.
      if (this.#refused?.start === at) this.#parts.habits.shrink(this.#refused.size, this.#minChunk)
      this.#refused = undefined
      this.#patience.reached(at)
      this.#isPieced = at > 0
      return at
    })
  }

  release(): void {
    this.#segment = undefined
    this.#stop.abort(new OrlopError('CANCELED', `${this.#parts.place.what}: its writer was closed`))
  }

  async cancel(options: AbortOptions): Promise<void> {
    this.release()
    await this.#drop(options)
    this.#stop = new AbortController()
    this.#refused = undefined
    this.#isPieced = false
  }

  get #options(): AbortOptions {
    return { signal: this.#stop.signal }
  }

  get #minChunk(): number {
    return this.#session?.minChunk ?? 0
  }

  /** Runs `work`, whose requests end when `signal` fires. */
  async #until<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted()
    const abort = (): void => this.#stop.abort(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await work()
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  async #begin(): Promise<UploadSegment> {
    const { place, habits, digest, size: total = Number.POSITIVE_INFINITY } = this.#parts
    this.#session ??= await startUpload(place, this.#options)
    const session = this.#session
    if (!session)
      throw new OrlopError('UNAVAILABLE', `${place.what}: the registry says 201 to an upload of nothing`)
    if (!habits.appends && digest !== undefined) return this.#whole(session, digest)
    const start = session.at
    const size = habits.part(total - start, session.minChunk)
    const isPart = Number.isFinite(size) && (start > 0 || size < total)
    const range = isPart ? ([start, start + size - 1] as const) : undefined
    const segment = new UploadSegment({ start, size }, async body => {
      const at = await session.append({ body, range }, this.#options)
      // What lies beyond what was sent is a slip of the registry's.
      session.at = Math.min(at ?? Number.POSITIVE_INFINITY, start + segment.taken)
    })
    return segment
  }

  /** All bytes with the request that ends the upload. */
  #whole(session: UploadSession, digest: Digest): UploadSegment {
    const { size = Number.POSITIVE_INFINITY } = this.#parts
    return new UploadSegment({ start: 0, size }, async body => {
      const response = await session.finish(digest, body, this.#options)
      await confirmStored(this.#parts, response, digest, this.#options)
      this.#stored = true
    })
  }

  async #end(segment: UploadSegment): Promise<void> {
    const early = segment.isEarly
    this.#segment = undefined
    try {
      await segment.end()
    } catch (error) {
      throw this.#broken(error, segment)
    }
    const at = this.#stored ? segment.taken : (this.#session?.at ?? 0)
    if (early || at < segment.start + segment.taken) throw this.#broken(this.#short(at, segment), segment)
    this.#patience.reached(at)
  }

  /** What to throw for a part that did not arrive: an interruption, where going on may help. */
  #broken(error: unknown, segment: UploadSegment): unknown {
    if (this.#stop.signal.aborted || !(error instanceof RegistryError)) return error
    if (isSpoiled(error)) return this.#spoiled(error)
    return this.#mends(error, segment) ? interruption(error) : error
  }

  #mends(error: RegistryError, { start, size }: SegmentInit): boolean {
    const { habits } = this.#parts
    if (isUnsupported(error)) return this.#otherWay()
    if (hasStatus(error, 413)) return habits.appends && habits.shrink(size, this.#minChunk)
    if (hasStatus(error, 416)) this.#refused = { start, size }
    if (isLost(error)) this.#session = undefined
    // 401: the next request finds better credentials, or says why there are none.
    return this.#patience.bears(error, isLost(error) || hasStatus(error, 202, 307, 308, 401, 416))
  }

  #otherWay(): boolean {
    const { habits, digest } = this.#parts
    habits.appends = !habits.appends || digest === undefined
    this.#session = undefined
    return !habits.appends
  }

  async #synced(): Promise<number> {
    const session = this.#session
    if (session === undefined) return 0
    if (await session.sync(this.#options)) return session.at
    await this.#drop(this.#options)
    return 0
  }

  async #drop(options: AbortOptions): Promise<void> {
    const session = this.#session
    this.#session = undefined
    await session?.cancel(options)
  }

  /** The refusal of wrong bytes. Where they were sent in pieces, it is worth to send them once more in one. */
  #spoiled(error: RegistryError): OrlopError {
    this.#session = undefined
    const refusal = spoiled(error)
    return this.#isPieced ? interruption(refusal) : refusal
  }

  /** Ends the upload of bytes that are all there; after a failure that says little it looks whether that has worked. */
  async #finish(digest: Digest): Promise<void> {
    this.#session ??= await startUpload(this.#parts.place, this.#options)
    const session = this.#session
    try {
      const response = await session?.finish(digest, undefined, this.#options)
      if (response) await confirmStored(this.#parts, response, digest, this.#options)
      this.#stored = true
    } catch (error) {
      if (this.#stop.signal.aborted || !(error instanceof RegistryError)) throw error
      if (isSpoiled(error)) throw this.#spoiled(error)
      if (!this.#patience.bears(error, isLost(error))) throw error
      await this.#patience.wait(this.#options)
      this.#stored = await this.#parts.exists(digest, this.#options)
      if (this.#stored) return
      const at = session?.at
      if ((await this.#synced()) !== at) throw interruption(error)
    }
  }

  /** As a torn connection: the registry has taken less than it was sent. */
  #short(at: number, { start, taken }: UploadSegment): RegistryError {
    const { what, endpoint } = this.#parts.place
    const text = `${what}: the registry has ${at} of ${start + taken} bytes`
    const url = new URL(`https://${endpoint.host.address}`)
    return new RegistryError('UNAVAILABLE', text, { method: 'PATCH', url, status: 202 })
  }
}
