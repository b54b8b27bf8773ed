import { availableParallelism } from 'node:os'
import { has } from '../content/blob.ts'
import { digestBlob } from '../content/digest-blob.ts'
import type { InfoProvider, Provider } from '../content/types.ts'
import { hasCode, isNotFound } from '../errors.ts'
import { dispatch } from '../handlers/dispatch.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
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
    const id = idOf(desc)
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
      this.#found.set(idOf(desc), await this.#hash(desc))
      return undefined
    }
  }

  async #ask(desc: Descriptor): Promise<Found> {
    return { state: (await has(this.#store, desc, this.#options)) ? 'present' : 'missing' }
  }

  /**
   * Looks at blobs several at a time, ahead of who asks for them one by one: hashing uses all cores, and asking waits for
   * the store only.
   */
  async lookAhead(descriptors: readonly Descriptor[]): Promise<void> {
    const { deep = false, signal } = this.#options
    const concurrency = deep ? availableParallelism() : 4
    const look = async (desc: Descriptor): Promise<void> => void (await this.look(desc))
    await dispatch(async () => [], look, descriptors, { concurrency, key: idOf, signal })
  }

  async #hash(desc: Descriptor): Promise<Found> {
    try {
      const { digest: got, size } = await digestBlob(this.#store, desc, this.#options)
      if (got !== desc.digest) return { state: 'corrupt', got }
      // The bytes are right, so it is the descriptor that lies about their number.
      return { state: size === desc.size ? 'present' : 'missing' }
    } catch (error) {
      if (isNotFound(error)) return { state: 'missing' }
      throw error
    }
  }
}

const idOf = ({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): string => `${digest} ${size}`

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
  const first = new Map<Digest, readonly Descriptor[]>()
  for (const path of paths) {
    const { digest } = lastOf(path)
    if (!first.has(digest)) first.set(digest, path)
  }
  await probe.lookAhead([...first.values()].map(lastOf))
  for (const path of first.values()) {
    const descriptor = lastOf(path)
    const found = await probe.look(descriptor)
    if (found.state === 'present') present.push(descriptor)
    else if (found.state === 'missing') missing.push({ descriptor, path })
    else corrupt.push({ descriptor, path, expected: descriptor.digest, got: found.got })
  }
  return { present, missing, corrupt }
}
