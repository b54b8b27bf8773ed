import type { InfoProvider, Provider } from '../content/types.ts'
import { annotate } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/document.ts'
import type { Platform } from '../oci/platform.ts'
import type { AbortOptions } from '../options.ts'
import { type Availability, type CheckOptions, check } from './check.ts'
import { type Completeness, completeness } from './completeness.ts'
import { config, manifest, rootFS } from './manifest.ts'
import { type PlatformsOptions, platforms } from './platforms.ts'
import { size } from './size.ts'
import type { ImageRecord, PlatformOptions } from './types.ts'
import { type UsageOptions, usage } from './usage.ts'

/**
 * A record with the content it stands on: the verbs of this folder for one image.
 *
 * Each is the function of the same name on the record's target; errors start with the image's name.
 */
export class Image {
  readonly record: ImageRecord
  readonly #content: Provider & InfoProvider

  constructor(record: ImageRecord, content: Provider & InfoProvider) {
    this.record = record
    this.#content = content
  }

  /** The record's name. */
  get name(): string {
    return this.record.name
  }

  /** The record's target. */
  get target(): Descriptor {
    return this.record.target
  }

  /** Bytes that one platform needs. @see size */
  size(options: PlatformOptions = {}): Promise<number> {
    return this.#named(size(this.#content, this.target, options), options)
  }

  /** Bytes that are here. @see usage */
  usage(options: UsageOptions = {}): Promise<number> {
    return this.#named(usage(this.#content, this.target, options), options)
  }

  /** Which blobs of one platform are here. @see check */
  check(options: CheckOptions = {}): Promise<Availability> {
    return this.#named(check(this.#content, this.target, options), options)
  }

  /** What is here of each platform. @see completeness */
  completeness(options: CheckOptions = {}): Promise<Completeness> {
    return this.#named(completeness(this.#content, this.target, options), options)
  }

  /** The manifest for one platform. @see manifest */
  manifest(options: PlatformOptions = {}): Promise<Manifest> {
    return this.#named(manifest(this.#content, this.target, options), options)
  }

  /** The config's descriptor for one platform. @see config */
  config(options: PlatformOptions = {}): Promise<Descriptor> {
    return this.#named(config(this.#content, this.target, options), options)
  }

  /** The diff ids of one platform. @see rootFS */
  rootFS(options: PlatformOptions = {}): Promise<readonly Digest[]> {
    return this.#named(rootFS(this.#content, this.target, options), options)
  }

  /** The platforms that the image offers. @see platforms */
  async *platforms(options: PlatformsOptions = {}): AsyncGenerator<Platform, void, undefined> {
    try {
      yield* platforms(this.#content, this.target, options)
    } catch (error) {
      throw this.#blame(error, options)
    }
  }

  async #named<T>(work: Promise<T>, options: AbortOptions): Promise<T> {
    try {
      return await work
    } catch (error) {
      throw this.#blame(error, options)
    }
  }

  #blame(error: unknown, { signal }: AbortOptions): unknown {
    return signal?.aborted && error === signal.reason ? error : annotate(error, `image ${this.name}`)
  }
}
