import type { Digest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import { hasStatus, RegistryError } from './error.ts'
import type { Sink } from './push-ingest.ts'
import { BlobUpload } from './upload.ts'
import { confirmStored, isSpoiled, spoiled, type UploadParts } from './upload-end.ts'
import { isLost, isUnsupported } from './upload-habits.ts'
import { UploadPatience } from './upload-patience.ts'
import { startUpload, type UploadSession } from './upload-session.ts'

/** Bytes of a blob that is kept in memory until it is sent. */
export const smallBlob = 1024 * 1024

/** Sends one small blob, all bytes with the request that ends its upload; as a stream where a registry has it so. */
export class SmallUpload implements Sink {
  readonly holds = smallBlob
  readonly #parts: UploadParts
  readonly #patience: UploadPatience
  #session: UploadSession | undefined

  constructor(parts: UploadParts) {
    this.#parts = parts
    this.#session = parts.session
    this.#patience = new UploadPatience(parts.place)
  }

  /** What is held is given to `commit` alone. */
  async write(): Promise<void> {}

  async commit(digest: Digest, held: Uint8Array, options: AbortOptions): Promise<void> {
    const { habits } = this.#parts
    while (habits.finishesWithBytes && habits.part(held.byteLength, 0) === held.byteLength) {
      if (await this.#tried(digest, held, options)) return
      // A try that failed may have left some bytes in the session.
      await this.cancel(options)
    }
    const stream = new BlobUpload({ ...this.#parts, session: this.#session })
    this.#session = undefined
    await stream.write(held, options)
    await stream.commit(digest, held, options)
  }

  async resume(): Promise<number> {
    return 0
  }

  release(): void {}

  async cancel(options: AbortOptions): Promise<void> {
    const session = this.#session
    this.#session = undefined
    await session?.cancel(options)
  }

  /** False when another try may do better. */
  async #tried(digest: Digest, held: Uint8Array, options: AbortOptions): Promise<boolean> {
    const { place, habits, exists } = this.#parts
    this.#session ??= await startUpload(place, options)
    try {
      const response = await this.#session?.finish(digest, held, options)
      if (response) await confirmStored(this.#parts, response, digest, options)
      this.#session = undefined
      return true
    } catch (error) {
      options.signal?.throwIfAborted()
      if (!(error instanceof RegistryError)) throw error
      if (isSpoiled(error)) throw spoiled(error)
      if (isUnsupported(error) && habits.appends) habits.finishesWithBytes = false
      else if (!hasStatus(error, 413) || !habits.shrink(held.byteLength, 0)) {
        if (!this.#patience.bears(error, isLost(error) || hasStatus(error, 307, 308))) throw error
        await this.#patience.wait(options)
        return exists(digest, options)
      }
      return false
    }
  }
}
