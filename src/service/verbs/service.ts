import type { MessageInitShape } from '@bufbuild/protobuf'
import { Turns } from '../../content/turns.ts'
import { OrlopError } from '../../errors.ts'
import { parseJson } from '../../oci/json.ts'
import type { Verbs as StoreVerbs } from '../../runtime/verbs.ts'
import { type RunRequest, type RunResponseSchema, type Start, Verbs } from '../gen/orlop/verbs/v1/verbs_pb.ts'
import type { ServiceParts } from '../parts.ts'
import { type Call, type Service, service } from '../rpc.ts'
import { isVerb, type VerbName, verbDefinitions } from './definitions.ts'
import { jsonBytes } from './json-bytes.ts'
import { lentResolver } from './lent.ts'
import { Outbox } from './outbox.ts'

/** Bytes of a result in one message. */
const maxPiece = 1024 * 1024

/** The service of the verbs on a whole store, which stop when their client goes. */
export function verbsService({ verbs }: ServiceParts): Service {
  // Of each verb one runs at a time, however many clients ask: each may hold the whole graph in memory.
  const turns = new Turns()
  return service(Verbs, {
    run: (requests, call) => {
      if (verbs === undefined)
        throw new OrlopError('UNIMPLEMENTED', 'verbs: what is served here is no store with files')
      return run(verbs, turns, requests, call)
    },
  })
}

async function* run(
  verbs: StoreVerbs,
  turns: Turns,
  requests: AsyncIterator<RunRequest>,
  { signal }: Call,
): AsyncGenerator<MessageInitShape<typeof RunResponseSchema>> {
  const { name, args } = await started(requests)
  const outbox = new Outbox()
  const resolver = lentResolver(question => outbox.ask(question), requests)
  const context = { tell: (event: unknown) => outbox.tell(event), resolver, signal }
  const work = turns
    .run(name, async () => {
      signal.throwIfAborted()
      return verbDefinitions[name].serve(verbs, args, context)
    })
    .finally(() => outbox.end())
  const settled = work.catch(() => undefined)
  try {
    yield* outbox.messages()
  } finally {
    // A client that has gone stopped it; the store stays open until it has.
    await settled
  }
  const result = jsonBytes(await work)
  for (let at = 0; at < result.byteLength; at += maxPiece) {
    yield { message: { case: 'result', value: result.subarray(at, at + maxPiece) } }
  }
}

/** What the first message asks for. */
async function started(
  requests: AsyncIterator<RunRequest>,
): Promise<{ readonly name: VerbName; readonly args: unknown }> {
  const { value, done } = await requests.next()
  const start: Start | undefined = !done && value.message.case === 'start' ? value.message.value : undefined
  if (start === undefined) {
    throw new OrlopError('INVALID_ARGUMENT', 'verbs: the first message must start a verb')
  }
  const { verb, arguments: args } = start
  if (!isVerb(verb)) {
    const what = JSON.stringify(verb.slice(0, 80))
    throw new OrlopError('UNIMPLEMENTED', `verbs: there is no ${what} here; the service is an older orlop`)
  }
  return { name: verb, args: parseJson(args, `verb ${verb}`) }
}
