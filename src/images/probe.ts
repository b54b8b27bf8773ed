import { has } from '../content/blob.ts'
import type { InfoProvider, Provider } from '../content/types.ts'
import { hasCode, isNotFound } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, Digester } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { lastOf } from './select.ts'

/** A blob and where it stands in an image. */
export interface Located {
  readonly descriptor: Descriptor
  /** The image's target first, the blob's own descriptor last. */
  readonly path: readonly Descriptor[]
}

/** A blob whose bytes are there, and are not what its digest says. */
export interface Corrupt extends Located {
  readonly expected: Digest
  /** The digest of the bytes that are there. */
  readonly got: Digest
}

/** How thoroughly blobs are looked at. */
export interface ProbeOptions extends AbortOptions {
  /** True: read and hash every byte. Default: only ask the store for the size. */
  readonly deep?: boolean | undefined
}

/** What was found of one blob. */
export type Found =
  | { readonly state: 'present' }
  | { readonly state: 'missing' }
  | { readonly state: 'corrupt'; readonly got: Digest }

/** Looks at blobs, each once, and sorts what it finds. */
export class Probe {
  readonly #store: Provider & InfoProvider
  readonly #options: ProbeOptions
  readonly #found = new Map<string, Found>()

  constructor(store: Provider & InfoProvider, options: ProbeOptions) {
    this.#store = store
    this.#options = options
  }

  /** A blob of another size than the descriptor says is missing, or when bytes are hashed: corrupt. */
  async look(desc: Descriptor): Promise<Found> {
    const id = `${desc.digest} ${desc.size}`
    const known = this.#found.get(id)
    if (known !== undefined) return known
    this.#options.signal?.throwIfAborted()
    const found = this.#options.deep ? await this.#hash(desc) : await this.#ask(desc)
    this.#found.set(id, found)
    return found
  }

  /**
   * What `read` gives for a document, or `undefined` when it is absent or corrupt; `look` then tells which.
   *
   * Reading verifies, so a corrupt document is found whether bytes are hashed or not.
   */
  async document<T>(desc: Descriptor, read: () => Promise<T>): Promise<T | undefined> {
    if ((await this.look(desc)).state !== 'present') return undefined
    try {
      return await read()
    } catch (error) {
      if (!isNotFound(error) && !hasCode(error, 'DATA_LOSS')) throw error
      this.#found.set(`${desc.digest} ${desc.size}`, await this.#hash(desc))
      return undefined
    }
  }

  async #ask(desc: Descriptor): Promise<Found> {
    return { state: (await has(this.#store, desc, this.#options)) ? 'present' : 'missing' }
  }

  async #hash(desc: Descriptor): Promise<Found> {
    const { signal } = this.#options
    const digester = new Digester(algorithmOf(desc.digest))
    let size = 0
    try {
      for await (const chunk of this.#store.read(desc, { signal })) {
        signal?.throwIfAborted()
        digester.update(chunk)
        size += chunk.byteLength
      }
    } catch (error) {
      if (isNotFound(error)) return { state: 'missing' }
      throw error
    }
    const got = digester.digest()
    if (got !== desc.digest) return { state: 'corrupt', got }
    // The bytes are right, so it is the descriptor that lies about their number.
    return { state: size === desc.size ? 'present' : 'missing' }
  }
}

/** Blobs by what was found of them; each digest once. */
export interface Findings {
  readonly present: readonly Descriptor[]
  readonly missing: readonly Located[]
  readonly corrupt: readonly Corrupt[]
}

/** Looks at the ends of paths. */
export async function lookAt(probe: Probe, paths: Iterable<readonly Descriptor[]>): Promise<Findings> {
  const present: Descriptor[] = []
  const missing: Located[] = []
  const corrupt: Corrupt[] = []
  const done = new Set<string>()
  for (const path of paths) {
    const descriptor = lastOf(path)
    if (done.has(descriptor.digest)) continue
    done.add(descriptor.digest)
    const found = await probe.look(descriptor)
    if (found.state === 'present') present.push(descriptor)
    else if (found.state === 'missing') missing.push({ descriptor, path })
    else corrupt.push({ descriptor, path, expected: descriptor.digest, got: found.got })
  }
  return { present, missing, corrupt }
}
