import type { MessageInitShape } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { Turns } from '../../content/turns.ts'
import type { CommitOptions, Status, Writer, WriterInit } from '../../content/types.ts'
import { OrlopError } from '../../errors.ts'
import { algorithmOf, type Digest, parseDigest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import { withFate } from '../fate.ts'
import {
  Content,
  WriteAction,
  WriteContentRequestSchema,
  type WriteContentResponse,
} from '../gen/containerd/services/content/v1/content_pb.ts'
import { countOf, dateOf } from '../messages.ts'
import { Encoded } from '../rpc.ts'
import type { Connection, Duplex, Place } from './connection.ts'

/** Bytes in one message; the service takes 16 MiB. */
const maxData = 1024 * 1024

type Request = MessageInitShape<typeof WriteContentRequestSchema> | Encoded
type Session = Duplex<Request, WriteContentResponse>

/** Opens or resumes an ingest behind a socket. Throws as `Ingester.writer`. */
export async function openRemoteWriter(
  connection: Connection,
  place: Place,
  init: WriterInit,
  { signal }: AbortOptions,
): Promise<Writer> {
  signal?.throwIfAborted()
  const { ref, expected: { digest, size } = {} } = init
  const session = connection.duplex(Content.method.write, place)
  const cancel = (): void => session.cancel()
  signal?.addEventListener('abort', cancel)
  try {
    await session.send({ action: WriteAction.STAT, ref, total: BigInt(size ?? 0), expected: digest ?? '' })
    const { value, done } = await session.messages.next()
    if (done) throw endedCall(ref)
    return new RemoteWriter(session, init, value)
  } catch (error) {
    // The call is the lock of the ref.
    session.cancel()
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

const endedCall = (ref: string): OrlopError =>
  withFate(new OrlopError('UNAVAILABLE', `ingest ${ref}: the service ended the call`), 'lost')

/** One stream of the content service; it is the lock of the ref, which the service lets go with it. */
class RemoteWriter implements Writer {
  readonly #session: Session
  readonly #init: WriterInit
  readonly #turns = new Turns()
  readonly #startedAt: Date
  #updatedAt: Date
  #offset: number
  #digest: Digest
  #buffer = Buffer.alloc(0)
  #open = true

  constructor(
    session: Session,
    init: WriterInit,
    { startedAt, updatedAt, offset, digest }: WriteContentResponse,
  ) {
    this.#session = session
    this.#init = init
    this.#startedAt = dateOf(startedAt)
    this.#updatedAt = dateOf(updatedAt)
    this.#offset = countOf(offset, `ingest ${init.ref}`)
    this.#digest = parseDigest(digest)
  }

  get offset(): number {
    return this.#offset
  }

  get digest(): Digest {
    return this.#digest
  }

  get status(): Status {
    const { ref, expected: { digest, size } = {} } = this.#init
    return {
      ref,
      offset: this.#offset,
      ...(size !== undefined && size > 0 && { total: size }),
      ...(digest !== undefined && { expected: digest }),
      startedAt: this.#startedAt,
      updatedAt: this.#updatedAt,
    }
  }

  write(chunk: Uint8Array, options: AbortOptions = {}): Promise<void> {
    return this.#turn('write', options, async () => {
      for (let at = 0; at < chunk.byteLength; at += maxData) {
        const data = this.#kept(chunk.subarray(at, at + maxData))
        await this.#exchange(encodedWrite(this.#offset, data), options)
      }
    })
  }

  /**
   * The bytes in a buffer of our own, which is free again with the answer: after a failure they may still be on their way,
   * while the caller's buffer has other bytes already.
   */
  #kept(data: Uint8Array): Uint8Array {
    if (this.#buffer.byteLength < data.byteLength) this.#buffer = Buffer.allocUnsafeSlow(data.byteLength)
    this.#buffer.set(data)
    return this.#buffer.subarray(0, data.byteLength)
  }

  reset(options: AbortOptions = {}): Promise<void> {
    return this.#turn('reset', options, async () => {
      if (this.#offset > 0) await this.#exchange({ action: WriteAction.WRITE, offset: 0n }, options)
    })
  }

  commit({ size, digest, labels = {}, signal }: CommitOptions = {}): Promise<Digest> {
    return this.#turn('commit', {}, async () => {
      try {
        signal?.throwIfAborted()
        this.#check(size, digest)
        // To the service what was expected at the opening stands; what is not to be checked is what there is.
        const { expected = {} } = this.#init
        const request = {
          action: WriteAction.COMMIT,
          offset: BigInt(this.#offset),
          total: BigInt(size ?? (expected.size === undefined ? 0 : this.#offset)),
          expected: digest ?? (expected.digest === undefined ? '' : this.#digest),
          labels,
        }
        await this.#exchange(request, { signal })
        return digest ?? this.#digest
      } finally {
        await this.#leave()
      }
    })
  }

  /** What the service cannot tell: that 0 bytes were expected, and that the bytes are others than some that it has. */
  #check(size: number | undefined, digest: Digest | undefined): void {
    const refuse = (why: string): never => {
      throw new OrlopError('FAILED_PRECONDITION', `ingest ${this.#init.ref}: ${why}`)
    }
    if (size !== undefined && size !== this.#offset) refuse(`has ${this.#offset} bytes, expected ${size}`)
    if (
      digest !== undefined &&
      algorithmOf(digest) === algorithmOf(this.#digest) &&
      digest !== this.#digest
    ) {
      refuse(`its bytes are ${this.#digest}, expected ${digest}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.run('', () => this.#leave())
  }

  #turn<T>(name: string, { signal }: AbortOptions, work: () => Promise<T>): Promise<T> {
    return this.#turns.run('', async () => {
      if (!this.#open) {
        throw new OrlopError('FAILED_PRECONDITION', `ingest ${this.#init.ref}: ${name} on a closed writer`)
      }
      signal?.throwIfAborted()
      return await work()
    })
  }

  /** A request and its answer. Whatever fails, an abort too, ends the stream: nobody knows what the service has taken. */
  async #exchange(request: Request, { signal }: AbortOptions): Promise<void> {
    const cancel = (): void => this.#session.cancel()
    signal?.addEventListener('abort', cancel)
    try {
      await this.#session.send(request)
      const { value, done } = await this.#session.messages.next()
      if (done) throw endedCall(this.#init.ref)
      this.#offset = countOf(value.offset, `ingest ${this.#init.ref}`)
      this.#digest = parseDigest(value.digest)
      this.#updatedAt = new Date()
    } catch (error) {
      this.#open = false
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  /** Waits for the end of the stream, for the ref is free only then. */
  async #leave(): Promise<void> {
    this.#open = false
    this.#session.end()
    try {
      for await (const _ of this.#session.messages);
    } catch {
      // It was told to who asked for it; what is left to tell is nobody's.
    }
  }
}

/** A WriteContentRequest whose data stays where it is. */
function encodedWrite(offset: number, data: Uint8Array): Encoded {
  const { field } = WriteContentRequestSchema
  const head = new BinaryWriter()
  head.tag(field.action.number, WireType.Varint).int32(WriteAction.WRITE)
  if (offset > 0) head.tag(field.offset.number, WireType.Varint).int64(offset)
  head.tag(field.data.number, WireType.LengthDelimited).uint32(data.byteLength)
  return new Encoded([head.finish(), data])
}
