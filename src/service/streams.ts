import type { Any } from '@bufbuild/protobuf/wkt'
import { OrlopError } from '../errors.ts'

/** One stream that a client opened, for a call that names it. */
export interface Stream {
  /** Resolves when the client's side has taken it; false: the stream has ended. */
  send(message: Any): Promise<boolean>
  /** The client's next message; `undefined` at the end. */
  receive(): Promise<Any | undefined>
  /** Ends the stream, after what was sent. */
  close(): void
}

/** The streams that are open, by the namespace and id that calls name. */
export class Streams {
  readonly #open = new Map<string, OpenStream>()

  /**
   * Makes a stream known until it is disposed.
   *
   * @throws INVALID_ARGUMENT  an empty id
   * @throws ALREADY_EXISTS  the namespace has one of that id
   */
  add(namespace: string, id: string, messages: AsyncIterator<Any>): OpenStream {
    if (id === '') throw new OrlopError('INVALID_ARGUMENT', 'stream: the id must not be empty')
    const key = `${namespace}/${id}`
    if (this.#open.has(key))
      throw new OrlopError('ALREADY_EXISTS', `stream ${JSON.stringify(id)} already exists`)
    const stream = new OpenStream(messages, () => this.#open.delete(key))
    this.#open.set(key, stream)
    return stream
  }

  /** @throws NOT_FOUND  the namespace has no stream of that id */
  get(namespace: string, id: string): Stream {
    const stream = this.#open.get(`${namespace}/${id}`)
    if (stream === undefined) throw new OrlopError('NOT_FOUND', `stream ${JSON.stringify(id)} does not exist`)
    return stream
  }
}

interface Waiting {
  readonly message: Any
  readonly taken: (taken: boolean) => void
}

/** A stream between the call that carries it and the one that uses it. */
export class OpenStream implements Stream, Disposable {
  readonly #messages: AsyncIterator<Any>
  readonly #onDispose: () => void
  #waiting: Waiting[] = []
  #wake: () => void = () => undefined
  #closed = false

  /** @param onDispose  called when nobody can find it any more */
  constructor(messages: AsyncIterator<Any>, onDispose: () => void) {
    this.#messages = messages
    this.#onDispose = onDispose
  }

  send(message: Any): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false)
    return new Promise(taken => {
      this.#waiting.push({ message, taken })
      this.#wake()
    })
  }

  async receive(): Promise<Any | undefined> {
    if (this.#closed) return undefined
    const { value, done } = await this.#messages.next()
    return done ? undefined : value
  }

  close(): void {
    this.#closed = true
    this.#wake()
  }

  /** What is sent, up to the close. */
  async *sent(): AsyncGenerator<Any, void, undefined> {
    for (;;) {
      const next = this.#waiting.shift()
      if (next !== undefined) {
        try {
          yield next.message
        } finally {
          next.taken(true)
        }
      } else if (this.#closed) return
      else {
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
      }
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#onDispose()
    for (const { taken } of this.#waiting.splice(0)) taken(false)
  }
}
