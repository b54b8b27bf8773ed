import { checkRange } from '../../content/range.ts'
import type {
  ContentStore,
  Info,
  LabelsChange,
  ReadOptions,
  Status,
  Target,
  Writer,
  WriterInit,
} from '../../content/types.ts'
import { hasCode, OrlopError } from '../../errors.ts'
import { parseFilters } from '../../filters/filter.ts'
import { type Digest, parseDigest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import {
  Content,
  type Info as InfoMessage,
  type Status as StatusMessage,
} from '../gen/containerd/services/content/v1/content_pb.ts'
import { countOf, dateOf } from '../messages.ts'
import type { Connection, Place } from './connection.ts'
import { openRemoteWriter } from './content-writer.ts'
import { mapChange } from './labels.ts'

/** A content store behind a socket: orlop's or containerd's. */
export class RemoteContent implements ContentStore {
  readonly #connection: Connection
  readonly #place: Place

  constructor(connection: Connection, place: Place) {
    this.#connection = connection
    this.#place = place
  }

  read(target: Target, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    checkRange(options)
    return this.#read(target.digest, options)
  }

  async *#read(digest: Digest, { offset = 0, length, signal }: ReadOptions): AsyncGenerator<Uint8Array> {
    // To the service 0 bytes are all of them.
    if (length === 0) return void (await this.info(digest, { signal }))
    const size = length === undefined || !Number.isFinite(length) ? 0n : BigInt(length)
    const request = { digest, offset: BigInt(offset), size }
    try {
      for await (const { data } of this.#connection.stream(
        Content.method.read,
        request,
        this.#with({ signal }),
      )) {
        yield data
      }
    } catch (error) {
      if (!hasCode(error, 'OUT_OF_RANGE')) throw error
    }
  }

  async info(digest: Digest, options: AbortOptions = {}): Promise<Info> {
    return infoOf((await this.#connection.unary(Content.method.info, { digest }, this.#with(options))).info)
  }

  async update(digest: Digest, change: LabelsChange, options: AbortOptions = {}): Promise<Info> {
    const { paths, values } = mapChange('labels', change.labels, change.replace)
    // No path at all would replace everything.
    if (paths.length === 0) return this.info(digest, options)
    const request = { info: { digest, labels: values }, updateMask: { paths: [...paths] } }
    return infoOf((await this.#connection.unary(Content.method.update, request, this.#with(options))).info)
  }

  list(filters: readonly string[] = [], options: AbortOptions = {}): AsyncIterable<Info> {
    parseFilters(filters)
    return this.#list(filters, options)
  }

  async *#list(filters: readonly string[], options: AbortOptions): AsyncGenerator<Info> {
    const request = { filters: [...filters] }
    for await (const { info } of this.#connection.stream(Content.method.list, request, this.#with(options))) {
      yield* info.map(infoOf)
    }
  }

  async delete(digest: Digest, options: AbortOptions = {}): Promise<void> {
    await this.#connection.unary(Content.method.delete, { digest }, this.#with(options))
  }

  async status(ref: string, options: AbortOptions = {}): Promise<Status> {
    const { status } = await this.#connection.unary(Content.method.status, { ref }, this.#with(options))
    return statusOf(status)
  }

  statuses(filters: readonly string[] = [], options: AbortOptions = {}): AsyncIterable<Status> {
    parseFilters(filters)
    return this.#statuses(filters, options)
  }

  async *#statuses(filters: readonly string[], options: AbortOptions): AsyncGenerator<Status> {
    const request = { filters: [...filters] }
    const { statuses } = await this.#connection.unary(
      Content.method.listStatuses,
      request,
      this.#with(options),
    )
    yield* statuses.map(statusOf)
  }

  async abort(ref: string, options: AbortOptions = {}): Promise<void> {
    await this.#connection.unary(Content.method.abort, { ref }, this.#with(options))
  }

  async writer(init: WriterInit, options: AbortOptions = {}): Promise<Writer> {
    return openRemoteWriter(this.#connection, this.#place, init, options)
  }

  #with({ signal }: AbortOptions): Place & AbortOptions {
    return { ...this.#place, signal }
  }
}

const infoOf = (message: InfoMessage | undefined): Info => {
  if (message === undefined) throw new OrlopError('INTERNAL', 'content: the service told nothing of the blob')
  const { digest, size, createdAt, updatedAt, labels } = message
  return {
    digest: parseDigest(digest),
    size: countOf(size, `content ${digest}`),
    labels,
    createdAt: dateOf(createdAt),
    updatedAt: dateOf(updatedAt),
  }
}

const statusOf = (message: StatusMessage | undefined): Status => {
  if (message === undefined)
    throw new OrlopError('INTERNAL', 'content: the service told nothing of the ingest')
  const { ref, offset, total, expected, startedAt, updatedAt } = message
  return {
    ref,
    offset: countOf(offset, `ingest ${ref}`),
    ...(total > 0n && { total: countOf(total, `ingest ${ref}`) }),
    ...(expected !== '' && { expected: parseDigest(expected) }),
    startedAt: dateOf(startedAt),
    updatedAt: dateOf(updatedAt),
  }
}
