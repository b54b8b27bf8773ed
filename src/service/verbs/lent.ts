import { Turns } from '../../content/turns.ts'
import type { Provider, ReadOptions, Target } from '../../content/types.ts'
import { OrlopError } from '../../errors.ts'
import { readDescriptor } from '../../oci/descriptor.ts'
import { parseJson } from '../../oci/json.ts'
import type { AbortOptions } from '../../options.ts'
import type { Resolver } from '../../remotes/types.ts'
import type { Answer, RunRequest } from '../gen/orlop/verbs/v1/verbs_pb.ts'
import { codeNamed } from '../status.ts'
import type { Question } from './question.ts'

/**
 * The resolver of a client, which alone has the credentials: what is wanted of registries, it fetches and hands over.
 *
 * @param ask  sends a question
 * @param requests  what the client sends; one answer for each question
 */
export function lentResolver(
  ask: (question: Question) => void,
  requests: AsyncIterator<RunRequest>,
): Resolver {
  const turns = new Turns()
  let lastRead = 0
  const answerTo = (question: Question): Promise<Answer['answer']> =>
    turns.run('', async () => {
      ask(question)
      const { value, done } = await requests.next()
      if (done || value.message.case !== 'answer') throw noAnswer()
      const { answer } = value.message.value
      if (answer.case === 'failure') throw failureOf(answer.value)
      return answer
    })

  async function* read(
    reference: string,
    { data: _, ...target }: Target,
    { offset = 0, length, signal }: ReadOptions,
  ): AsyncGenerator<Uint8Array> {
    const id = ++lastRead
    await answerTo({ type: 'open', id, reference, target, offset, length })
    try {
      for (;;) {
        signal?.throwIfAborted()
        const answer = await answerTo({ type: 'next', id })
        if (answer.case !== 'data') throw noAnswer()
        if (answer.value.byteLength === 0) return
        yield answer.value
      }
    } finally {
      // The client may have gone.
      await answerTo({ type: 'close', id }).catch(() => undefined)
    }
  }

  const fetcher = (reference: string): Provider => ({
    read: (target, options = {}) => read(reference, target, options),
  })
  return {
    resolve: async (reference, { signal }: AbortOptions = {}) => {
      signal?.throwIfAborted()
      const answer = await answerTo({ type: 'resolve', reference })
      if (answer.case !== 'json') throw noAnswer()
      const what = `what the client knows of ${reference}`
      return readDescriptor(parseJson(answer.value, what), what)
    },
    fetcher: async reference => fetcher(reference),
  }
}

const noAnswer = (): OrlopError => new OrlopError('INVALID_ARGUMENT', 'verbs: the client gave no answer')

/** A registry of the client's that has enough is no full disk of ours. */
function failureOf({ code, message }: { readonly code: string; readonly message: string }): OrlopError {
  const ours = codeNamed(code)
  return new OrlopError(ours === 'RESOURCE_EXHAUSTED' ? 'UNAVAILABLE' : ours, message)
}
