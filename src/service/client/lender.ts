import type { MessageInitShape } from '@bufbuild/protobuf'
import { isOrlopError, OrlopError } from '../../errors.ts'
import { descriptorToJson } from '../../oci/descriptor.ts'
import type { AbortOptions } from '../../options.ts'
import type { Resolver } from '../../remotes/types.ts'
import type { AnswerSchema } from '../gen/orlop/verbs/v1/verbs_pb.ts'
import { orAborted } from '../or-aborted.ts'
import { jsonBytes } from '../verbs/json-bytes.ts'
import type { Question } from '../verbs/question.ts'

type Answer = MessageInitShape<typeof AnswerSchema>

interface Given {
  readonly case: 'json' | 'data'
  readonly value: Uint8Array
}

/** Bytes in one answer. */
const maxData = 1024 * 1024

/** Blobs that are read at one time. */
const maxReads = 16

/** Does with a resolver what a service asks for. */
export class Lender implements Disposable {
  readonly #resolver: Resolver
  readonly #signal: AbortSignal | undefined
  readonly #reads = new Map<number, AsyncIterator<Uint8Array>>()

  constructor(resolver: Resolver, { signal }: AbortOptions) {
    this.#resolver = resolver
    this.#signal = signal
  }

  /** Errors of ours are told to the service; others are thrown, for they are no answer, as is an abort. */
  async answer(question: Question): Promise<Answer> {
    try {
      const work = this.#answer(question)
      return { answer: await (this.#signal ? orAborted(work, this.#signal) : work) }
    } catch (error) {
      this.#signal?.throwIfAborted()
      if (!isOrlopError(error)) throw error
      return { answer: { case: 'failure', value: { code: error.code, message: error.message } } }
    }
  }

  async #answer(question: Question): Promise<Given> {
    switch (question.type) {
      case 'resolve': {
        const target = await this.#resolver.resolve(question.reference, { signal: this.#signal })
        return { case: 'json', value: jsonBytes(descriptorToJson(target)) }
      }
      case 'open':
        await this.#open(question)
        return nothing
      case 'next':
        return { case: 'data', value: await this.#next(question.id) }
      case 'close':
        await this.#reads.get(question.id)?.return?.()
        this.#reads.delete(question.id)
        return nothing
    }
  }

  async #open({ id, reference, target, offset, length }: Extract<Question, { type: 'open' }>): Promise<void> {
    if (this.#reads.size >= maxReads) {
      throw new OrlopError('RESOURCE_EXHAUSTED', `verbs: ${maxReads} blobs are being read already`)
    }
    const fetcher = await this.#resolver.fetcher(reference, { signal: this.#signal })
    this.#reads.set(id, inPieces(fetcher.read(target, { offset, length, signal: this.#signal })))
  }

  async #next(id: number): Promise<Uint8Array> {
    const { value, done } = (await this.#reads.get(id)?.next()) ?? { done: true }
    return done ? new Uint8Array() : value
  }

  /** Ends what is being read; one that does not end is not waited for. */
  [Symbol.dispose](): void {
    for (const read of this.#reads.values()) read.return?.().catch(() => undefined)
    this.#reads.clear()
  }
}

const nothing: Given = { case: 'json', value: new Uint8Array() }

/** Chunks of any size as pieces that fill a message, but for the last. */
async function* inPieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let waiting: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; ) {
      const part = chunk.subarray(at, at + maxData - bytes)
      waiting.push(part)
      bytes += part.byteLength
      at += part.byteLength
      if (bytes < maxData) continue
      yield Buffer.concat(waiting)
      waiting = []
      bytes = 0
    }
  }
  if (bytes > 0) yield Buffer.concat(waiting)
}
