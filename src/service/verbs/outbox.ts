import type { MessageInitShape } from '@bufbuild/protobuf'
import type { RunResponseSchema } from '../gen/orlop/verbs/v1/verbs_pb.ts'
import { jsonBytes } from './json-bytes.ts'

type Response = MessageInitShape<typeof RunResponseSchema>

/** Bytes of events in one message, as a rule; one event may be larger. */
const maxEvents = 256 * 1024

/** What a verb that runs has for its client, in order. */
export class Outbox {
  #events: string[] = []
  #questions: object[] = []
  #isOver = false
  #wake: () => void = () => undefined

  /** Events wait here until the client takes them: they are of things in the store, and no more than these. */
  tell(event: unknown): void {
    this.#events.push(JSON.stringify(event))
    this.#wake()
  }

  ask(question: object): void {
    this.#questions.push(question)
    this.#wake()
  }

  /** Nothing comes after what is there. */
  end(): void {
    this.#isOver = true
    this.#wake()
  }

  async *messages(): AsyncGenerator<Response, void, undefined> {
    for (;;) {
      const question = this.#questions.shift()
      if (this.#events.length > 0) yield { message: { case: 'events', value: this.#takeEvents() } }
      if (question !== undefined) yield { message: { case: 'ask', value: jsonBytes(question) } }
      else if (this.#events.length === 0) {
        if (this.#isOver) return
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
      }
    }
  }

  #takeEvents(): Uint8Array {
    let bytes = 0
    let count = 0
    for (const event of this.#events) {
      bytes += event.length
      if (count > 0 && bytes > maxEvents) break
      count++
    }
    return Buffer.from(`[${this.#events.splice(0, count).join(',')}]`)
  }
}
