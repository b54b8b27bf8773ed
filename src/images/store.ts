import { changeLabels, keptLabels } from '../content/labels.ts'
import type { Labels } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { labelField, parseFilters } from '../filters/filter.ts'
import { decode, encode, readDates } from '../metadata/codec.ts'
import type { Database } from '../metadata/database.ts'
import type { Publisher } from '../metadata/exchange.ts'
import type { Entry, View } from '../metadata/kv.ts'
import { checkLabels, checkNamespace } from '../metadata/labels.ts'
import { addLeaseResource, deleteLeaseResource } from '../metadata/leases.ts'
import { listed } from '../metadata/listed.ts'
import { imageKey, kindPrefix, parseKey, touchNamespace } from '../metadata/schema.ts'
import { labelKeys } from '../oci/annotations.ts'
import { type Descriptor, descriptorToJson, readDescriptor } from '../oci/descriptor.ts'
import { asObject, asStringMap, type JsonObject } from '../oci/json.ts'
import type { AbortOptions } from '../options.ts'
import type { DeleteImageOptions, ImageChange, ImageRecord, ImageStore, NewImage } from './types.ts'

/** What `ImageRecords` works on. */
export interface ImageRecordsOptions {
  readonly database: Database
  readonly namespace: string
  /** The lease of the caller: it holds images with an expiry that are created, and lets go of those deleted. */
  readonly lease?: string | undefined
  /** Told of each change after it is durable. */
  readonly events?: Publisher | undefined
  /** The clock; a fixed one makes records reproducible, as containerd's source-date-epoch does. */
  readonly now?: (() => Date) | undefined
}

/**
 * The image records of one namespace.
 *
 * Each change is one durable batch, then an event: `/images/create` and `/images/update` with name and labels,
 * `/images/delete` with the name. The whole descriptor of a target is kept; containerd's database loses its platform, URLs,
 * artifact type and embedded data. Deleting does not collect: that is the collector's.
 *
 * @throws FAILED_PRECONDITION  when made without a namespace
 * @throws INVALID_ARGUMENT  when made with a namespace that is no identifier
 * @see containerd core/metadata/images.go
 */
export class ImageRecords implements ImageStore {
  readonly #database: Database
  readonly #namespace: string
  readonly #lease: string | undefined
  readonly #events: Publisher | undefined
  readonly #now: () => Date

  constructor({ database, namespace, lease, events, now = () => new Date() }: ImageRecordsOptions) {
    this.#database = database
    this.#namespace = checkNamespace(namespace)
    this.#lease = lease
    this.#events = events
    this.#now = now
  }

  async get(name: string, { signal }: AbortOptions = {}): Promise<ImageRecord> {
    signal?.throwIfAborted()
    return this.#database.view(view => this.#require(view, name))
  }

  list(filters: readonly string[] = [], options: AbortOptions = {}): AsyncIterable<ImageRecord> {
    const wanted = parseFilters(filters)
    return this.#list(image => wanted(path => imageField(image, path)), options)
  }

  async create({ name, target, labels = {} }: NewImage, options: AbortOptions = {}): Promise<ImageRecord> {
    const at = this.#now()
    const image = checked({ name, target, labels: keptLabels(labels), createdAt: at, updatedAt: at })
    await this.#database.update(async tx => {
      const key = imageKey(this.#namespace, name)
      if ((await tx.get(key)) !== undefined) {
        throw new OrlopError('ALREADY_EXISTS', `image ${JSON.stringify(name)} already exists`)
      }
      await touchNamespace(tx, this.#namespace)
      if (this.#lease !== undefined && Object.hasOwn(image.labels, labelKeys.gcExpire)) {
        await addLeaseResource(tx, this.#namespace, this.#lease, { type: 'images', id: name })
      }
      tx.put(key, toJson(image))
    }, options)
    this.#publish('/images/create', { name, labels: image.labels })
    return image
  }

  async update(name: string, change: ImageChange, options: AbortOptions = {}): Promise<ImageRecord> {
    if (name === '') throw new OrlopError('INVALID_ARGUMENT', 'image: the name must not be empty')
    const now = this.#now()
    const image = await this.#database.update(async tx => {
      const found = await this.#require(tx, name)
      const updatedAt = new Date(Math.max(now.getTime(), found.createdAt.getTime()))
      const changed = checked({ ...changedBy(found, change), updatedAt })
      tx.put(imageKey(this.#namespace, name), toJson(changed))
      return changed
    }, options)
    this.#publish('/images/update', { name, labels: image.labels })
    return image
  }

  async delete(name: string, { target, onlyIf, signal }: DeleteImageOptions = {}): Promise<void> {
    await this.#database.update(
      async tx => {
        const found = await this.#require(tx, name)
        if (target !== undefined && found.target.digest !== target) {
          throw new OrlopError(
            'NOT_FOUND',
            `image ${JSON.stringify(name)} points at ${found.target.digest} and not at ${target}; it was not deleted`,
          )
        }
        if (onlyIf?.(found) === false) {
          throw new OrlopError(
            'ABORTED',
            `image ${JSON.stringify(name)} was changed meanwhile; it was not deleted`,
          )
        }
        if (this.#lease !== undefined) {
          deleteLeaseResource(tx, this.#namespace, this.#lease, { type: 'images', id: name })
        }
        tx.delete(imageKey(this.#namespace, name))
      },
      { signal },
    )
    this.#publish('/images/delete', { name })
  }

  async #require(view: View, name: string): Promise<ImageRecord> {
    const key = name === '' ? undefined : imageKey(this.#namespace, name)
    const value = key && (await view.get(key))
    if (key === undefined || value === undefined) {
      throw new OrlopError('NOT_FOUND', `image ${JSON.stringify(name)} does not exist`)
    }
    return decode(key, value, (json, what) => readImageRecord(name, json, what))
  }

  #list(wanted: (image: ImageRecord) => boolean, { signal }: AbortOptions): AsyncIterable<ImageRecord> {
    return listed(async () => {
      signal?.throwIfAborted()
      return this.#database.view(async view => {
        const images: ImageRecord[] = []
        // Not `imageRecords`: a generator between costs as much as the record itself.
        for await (const entry of view.range(kindPrefix(this.#namespace, 'image'), { signal })) {
          const image = imageOf(entry)
          if (image !== undefined && wanted(image)) images.push(image)
        }
        return images
      })
    })
  }

  #publish(topic: string, event: JsonObject): void {
    this.#events?.publish({ namespace: this.#namespace, topic, event })
  }
}

/** The images of a namespace as a view has them, in order of name; for the collector, which has a transaction open. */
export async function* imageRecords(
  view: View,
  namespace: string,
  options: AbortOptions = {},
): AsyncGenerator<ImageRecord, void, undefined> {
  for await (const entry of view.range(kindPrefix(namespace, 'image'), options)) {
    const image = imageOf(entry)
    if (image !== undefined) yield image
  }
}

function imageOf({ key, value }: Entry): ImageRecord | undefined {
  const parsed = parseKey(key)
  if (parsed?.kind !== 'image') return undefined
  return decode(key, value, (json, what) => readImageRecord(parsed.name, json, what))
}

/** An image's record out of its JSON, for `decode`; its name is in its key. */
export function readImageRecord(name: string, value: unknown, what: string): ImageRecord {
  const json = asObject(value, what)
  return Object.freeze({
    name,
    target: readDescriptor(json.target, `${what}.target`),
    labels: asStringMap(json.labels, `${what}.labels`),
    ...readDates(json, what),
  })
}

const toJson = ({ target, labels, createdAt, updatedAt }: ImageRecord): JsonObject =>
  encode({ target: descriptorToJson(target), labels, createdAt, updatedAt })

/** The target as a unit first, then its annotations, so that both can be changed at once. */
function changedBy(image: ImageRecord, change: ImageChange): ImageRecord {
  const { target = image.target } = change
  return {
    ...image,
    target: change.annotations ? annotated(target, change.annotations, change.replaceAnnotations) : target,
    labels: change.labels
      ? changeLabels(image.labels, { labels: change.labels, replace: change.replaceLabels })
      : image.labels,
  }
}

function annotated(
  { annotations: before = {}, ...target }: Descriptor,
  change: Readonly<Record<string, string | null>>,
  replace = false,
): Descriptor {
  const merged = new Map<string, string | null>(replace ? [] : Object.entries(before))
  for (const [key, value] of Object.entries(change)) merged.set(key, value)
  const annotations = [...merged].filter((entry): entry is [string, string] => entry[1] !== null)
  return annotations.length === 0 ? target : { ...target, annotations: Object.fromEntries(annotations) }
}

/** The image frozen and parsed, as it will be read again; what cannot be an image is refused. */
function checked({ target, ...image }: ImageRecord): ImageRecord {
  const what = `image ${JSON.stringify(image.name)}`
  const refuse = (why: string): never => {
    throw new OrlopError('INVALID_ARGUMENT', `${what}: ${why}`)
  }
  if (image.name === '') throw new OrlopError('INVALID_ARGUMENT', 'image: the name must not be empty')
  checkLabels(what, image.labels)
  const parsed = readDescriptor(descriptorToJson(target), `${what}: target`)
  if (parsed.size === 0) refuse('the size of the target must be above 0')
  if (parsed.mediaType === '') refuse('the target needs a media type')
  return Object.freeze({ ...image, target: parsed })
}

const labelsOf = (image: ImageRecord, kind: string): Labels | undefined => {
  if (kind === 'labels') return image.labels
  return kind === 'annotations' ? image.target.annotations : undefined
}

/** A field of an image for filters: `name`, `target.digest`, `target.mediatype`, `labels.<key>`, `annotations.<key>`. */
export const imageField = (
  image: ImageRecord,
  [head = '', ...rest]: readonly string[],
): string | undefined => {
  if (head === 'name') return image.name
  if (head === 'target' && rest[0] === 'digest') return image.target.digest
  if (head === 'target' && rest[0] === 'mediatype') return image.target.mediaType
  return labelField(labelsOf(image, head), rest)
}
