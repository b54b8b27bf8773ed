import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { Buffers } from '../content/buffers.ts'
import { ifFound } from '../content/if-found.ts'
import type { ContentStore, Writer } from '../content/types.ts'
import { isNotFound, OrlopError } from '../errors.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { WriteAction, type WriteContentRequest } from './gen/containerd/services/content/v1/content_pb.ts'
import { countOf, timestamp } from './messages.ts'
import { type ServiceParts, scopeOf } from './parts.ts'
import type { Call } from './rpc.ts'

/** What an answer says; what one leaves out stands as the one before had it. */
interface Response {
  readonly action: WriteAction
  readonly offset: bigint
  readonly digest: string
  readonly startedAt?: Timestamp
  readonly updatedAt?: Timestamp
  readonly total?: bigint
}

/** Messages of clients that write; what is in them is taken before the next one is asked for. */
const buffers = new Buffers(1024 * 1024 + 64, 8)

/**
 * One ingest: a writer that lives as long as the stream.
 *
 * A stream that ends without COMMIT leaves the bytes for the next one. The last answer is given twice, as containerd's
 * server does; clients bear both.
 *
 * @throws INVALID_ARGUMENT  the first message has no ref
 * @throws ALREADY_EXISTS  a digest that a message expects is here; the ingest is gone
 * @throws OUT_OF_RANGE  an offset that is not the writer's; 0 is none of these: it drops what was written
 * @see containerd plugins/services/content/contentserver, Write
 */
export async function* writeContent(
  parts: ServiceParts,
  requests: AsyncIterator<WriteContentRequest>,
  call: Call,
): AsyncGenerator<Response> {
  const { content } = scopeOf(parts, call)
  call.reuse(buffers)
  const first = await requests.next()
  if (first.done || first.value.ref === '') {
    throw new OrlopError('INVALID_ARGUMENT', 'first message must have a reference')
  }
  const session = await Session.open(content, first.value, call)
  try {
    let response: Response | undefined
    let next: IteratorResult<WriteContentRequest> = first
    while (!next.done) {
      response = { ...response, ...(await session.take(next.value)) }
      yield response
      if (response.action === WriteAction.COMMIT) break
      next = await requests.next()
    }
    if (response !== undefined) yield response
  } finally {
    await session[Symbol.asyncDispose]()
  }
}

/** What has been said so far of one ingest. */
class Session implements AsyncDisposable {
  readonly #content: ContentStore
  readonly #ref: string
  readonly #call: Call
  readonly #writer: Writer
  #total = 0
  #expected: Digest | undefined

  private constructor(content: ContentStore, ref: string, call: Call, writer: Writer) {
    this.#content = content
    this.#ref = ref
    this.#call = call
    this.#writer = writer
  }

  static async open(
    content: ContentStore,
    { ref, total, expected }: WriteContentRequest,
    call: Call,
  ): Promise<Session> {
    const size = countOf(total, `ingest ${ref}: total`)
    const digest = expected === '' ? undefined : parseDigest(expected)
    const writer = await content.writer({ ref, expected: { digest, size: size || undefined } }, call)
    return new Session(content, ref, call, writer)
  }

  /** What a message asks for, done. */
  async take(request: WriteContentRequest): Promise<Response> {
    const { action } = request
    await this.#expect(request)
    if (action === WriteAction.STAT) return this.#stat()
    if (action !== WriteAction.WRITE && action !== WriteAction.COMMIT) {
      throw new OrlopError('INVALID_ARGUMENT', `ingest ${this.#ref}: action ${action} is none`)
    }
    await this.#write(request)
    const { offset, digest } = this.#writer
    const told = { action, offset: BigInt(offset), digest }
    if (action === WriteAction.WRITE) return told
    const { signal } = this.#call
    const size = this.#total || undefined
    return {
      ...told,
      digest: await this.#writer.commit({ size, digest: this.#expected, labels: request.labels, signal }),
    }
  }

  async #expect({ expected, total }: WriteContentRequest): Promise<void> {
    if (expected !== '') {
      this.#expected = parseDigest(expected)
      if (await ifFound(this.#content.info(this.#expected, this.#call))) await this.#giveUp(this.#expected)
    }
    if (total !== 0n) this.#total = countOf(total, `ingest ${this.#ref}: total`)
  }

  async #giveUp(digest: Digest): Promise<never> {
    await this[Symbol.asyncDispose]()
    await this.#content.abort(this.#ref, this.#call).catch(error => {
      if (!isNotFound(error)) throw error
    })
    throw new OrlopError('ALREADY_EXISTS', `blob with expected digest ${digest} exists`)
  }

  async #write({ offset, data }: WriteContentRequest): Promise<void> {
    const at = this.#writer.offset
    if (offset !== 0n && offset !== BigInt(at)) {
      throw new OrlopError('OUT_OF_RANGE', `write @${offset} must occur at current offset ${at}`)
    }
    if (offset === 0n && at > 0) await this.#writer.reset(this.#call)
    if (data.byteLength > 0) await this.#writer.write(data, this.#call)
  }

  #stat(): Response {
    const { offset, digest, status } = this.#writer
    return {
      action: WriteAction.STAT,
      offset: BigInt(offset),
      digest,
      startedAt: timestamp(status.startedAt),
      updatedAt: timestamp(status.updatedAt),
      total: BigInt(this.#total),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]()
  }
}
