import type { Labels } from '../content/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Matcher } from '../oci/matcher.ts'
import type { AbortOptions } from '../options.ts'

/** Options of the verbs that look at one platform of an image. */
export interface PlatformOptions extends AbortOptions {
  /** Which manifest of an index; default: any, the first that is no attestation. */
  readonly platform?: Matcher | undefined
}

/** A name for a descriptor: the record that keeps an image's content alive. */
export interface ImageRecord {
  /** The key; any text, by custom a full reference. */
  readonly name: string
  readonly target: Descriptor
  readonly labels: Labels
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** What an image is made from. */
export interface NewImage {
  readonly name: string
  readonly target: Descriptor
  readonly labels?: Labels | undefined
}

/**
 * A change of an image: only what is given is changed.
 *
 * gRPC's field masks map onto it: `labels` is `{labels, replaceLabels: true}`, `labels.x` is `{labels: {x: value or null}}`,
 * `annotations` and `annotations.x` likewise, no mask is all of it with both `replace` flags.
 */
export interface ImageChange {
  /** Replaces the target as a unit, its annotations too. */
  readonly target?: Descriptor | undefined
  /** Merged into those there; null or '' removes. */
  readonly labels?: Readonly<Record<string, string | null>> | undefined
  /** True: `labels` are all there will be. */
  readonly replaceLabels?: boolean | undefined
  /** Merged into the target's annotations; null removes. */
  readonly annotations?: Readonly<Record<string, string | null>> | undefined
  /** True: `annotations` are all there will be. */
  readonly replaceAnnotations?: boolean | undefined
}

/** Options of `ImageStore.delete`. */
export interface DeleteImageOptions extends AbortOptions {
  /** Delete only while the image still points at this digest. */
  readonly target?: Digest | undefined
  /** Delete only when this says so of the record as it is then; pure, for it may be asked again. */
  readonly onlyIf?: ((image: ImageRecord) => boolean) | undefined
}

/** The image records of one namespace. @see containerd core/metadata/images.go */
export interface ImageStore {
  /** @throws NOT_FOUND  no image of that name */
  get(name: string, options?: AbortOptions): Promise<ImageRecord>
  /**
   * Every image that one of `filters` matches (none: all), in order of name. Fields: `name`, `target.digest`,
   * `target.mediatype`, `labels.<key>`, `annotations.<key>`.
   *
   * @throws INVALID_ARGUMENT  a filter that cannot be read; thrown by the call itself, before iteration
   */
  list(filters?: readonly string[], options?: AbortOptions): AsyncIterable<ImageRecord>
  /**
   * @throws ALREADY_EXISTS  there is an image of that name
   * @throws INVALID_ARGUMENT  no name, a target without digest, size or media type, or a label over its limit
   */
  create(image: NewImage, options?: AbortOptions): Promise<ImageRecord>
  /**
   * @throws NOT_FOUND  no image of that name
   * @throws INVALID_ARGUMENT  what would come of it is not a valid image
   */
  update(name: string, change: ImageChange, options?: AbortOptions): Promise<ImageRecord>
  /**
   * @throws NOT_FOUND  no image of that name, or it points elsewhere than `options.target`
   * @throws ABORTED  `options.onlyIf` says no
   */
  delete(name: string, options?: DeleteImageOptions): Promise<void>
}
