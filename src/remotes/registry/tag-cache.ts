import type { Descriptor } from '../../oci/descriptor.ts'

/** What a tag pointed at when it was last asked for. */
export interface KnownTag {
  readonly target: Descriptor
  /** How the registry marked its answer. */
  readonly etag: string | undefined
  /** The manifest itself, where it was read. */
  readonly bytes: Uint8Array | undefined
}

const maxTags = 1000
const maxBytes = 16 * 1024 * 1024

/**
 * Remembers what tags pointed at. It answers nothing by itself: the registry is asked each time whether that still holds,
 * which costs it, and us, less than to send it again. What was not asked for longest goes first.
 */
export class TagCache {
  readonly #tags = new Map<string, KnownTag>()
  #bytes = 0

  get(key: string): KnownTag | undefined {
    return this.#tags.get(key)
  }

  set(key: string, tag: KnownTag): void {
    this.#delete(key)
    this.#tags.set(key, tag)
    this.#bytes += sizeOf(tag)
    for (const oldest of this.#tags.keys()) {
      if (this.#tags.size <= maxTags && this.#bytes <= maxBytes) return
      this.#delete(oldest)
    }
  }

  #delete(key: string): void {
    const tag = this.#tags.get(key)
    if (!tag) return
    this.#bytes -= sizeOf(tag)
    this.#tags.delete(key)
  }
}

const sizeOf = ({ bytes }: KnownTag): number => bytes?.byteLength ?? 0
