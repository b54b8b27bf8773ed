import { hasCode, isOrlopError, OrlopError } from '../../errors.ts'
import { parseJson } from '../../oci/json.ts'
import type { AbortOptions } from '../../options.ts'
import type { Resolver } from '../../remotes/types.ts'
import type { Verbs as StoreVerbs } from '../../runtime/verbs.ts'
import { withFate } from '../fate.ts'
import { type RunResponse, Verbs } from '../gen/orlop/verbs/v1/verbs_pb.ts'
import { type Verb, type VerbName, verbDefinitions } from '../verbs/definitions.ts'
import { jsonBytes } from '../verbs/json-bytes.ts'
import { readQuestion } from '../verbs/question.ts'
import { list, type Reader } from '../verbs/readers.ts'
import type { Connection } from './connection.ts'
import { Lender } from './lender.ts'

/** Bytes of JSON that a result may have. */
const maxResult = 256 * 1024 * 1024

/** The verbs of an orlop behind a socket; of any other service they are UNIMPLEMENTED. */
export function remoteVerbs(connection: Connection): StoreVerbs {
  const verbs = verbDefinitions
  const on = (name: VerbName): Place => ({ connection, name })
  return {
    collect: ({ onRemoved: onEvent, signal } = {}) =>
      run(on('collect'), verbs.collect, {}, { onEvent, signal }),
    plan: options => run(on('plan'), verbs.plan, {}, options),
    why: (node, { limit, signal } = {}) => run(on('why'), verbs.why, { node, limit }, { signal }),
    measure: (namespace, options) => run(on('measure'), verbs.measure, { namespace }, options),
    measureSet: (namespace, names, options) =>
      run(on('measureSet'), verbs.measureSet, { namespace, names }, options),
    prune: (namespace, rules, { dryRun, onDeleted: onEvent, signal } = {}) =>
      run(on('prune'), verbs.prune, { namespace, rules, dryRun }, { onEvent, signal }),
    check: ({ quick, signal } = {}) => run(on('check'), verbs.check, { quick }, { signal }),
    repair: ({ quick, from, resolver, signal } = {}) =>
      run(on('repair'), verbs.repair, { quick, from, lends: resolver !== undefined }, { resolver, signal }),
    rebuild: ({ namespace, merge, signal } = {}) =>
      run(on('rebuild'), verbs.rebuild, { namespace, merge }, { signal }),
  }
}

interface Place {
  readonly connection: Connection
  readonly name: VerbName
}

interface RunOptions<E> extends AbortOptions {
  readonly onEvent?: ((event: E) => void) | undefined
  /** Lent to the service. */
  readonly resolver?: Resolver | undefined
}

async function run<A extends object, R, E>(
  place: Place,
  verb: Verb<A, R, E>,
  args: A,
  { onEvent = () => undefined, resolver, signal }: RunOptions<E> = {},
): Promise<R> {
  const { connection, name } = place
  const call = connection.duplex(Verbs.method.run, { signal })
  using lender = resolver && new Lender(resolver, { signal })
  const pieces = new Pieces()
  const take = async ({ message: { case: kind, value } }: RunResponse): Promise<void> => {
    if (kind === 'events') for (const event of read(place, list(verb.event), value)) onEvent(event)
    if (kind === 'result') pieces.add(value)
    if (kind !== 'ask') return
    const answer = await lender?.answer(read(place, readQuestion, value))
    if (answer !== undefined) await call.send({ message: { case: 'answer', value: answer } })
  }
  try {
    await call.send({ message: { case: 'start', value: { verb: name, arguments: jsonBytes(args) } } })
    if (lender === undefined) call.end()
    for await (const response of call.messages) await take(response)
  } catch (error) {
    throw refused(place, error)
  } finally {
    call.end()
  }
  const bytes = pieces.all()
  if (bytes.byteLength === 0) {
    throw withFate(new OrlopError('UNAVAILABLE', `verb ${name}: the service ended the call`), 'lost')
  }
  return read(place, verb.result, bytes)
}

/** A result as it comes, up to its limit. */
class Pieces {
  readonly #pieces: Uint8Array[] = []
  #bytes = 0

  add(piece: Uint8Array): void {
    this.#bytes += piece.byteLength
    if (this.#bytes > maxResult) {
      throw new OrlopError('RESOURCE_EXHAUSTED', `verbs: the result has more than ${maxResult} bytes`)
    }
    this.#pieces.push(piece)
  }

  all(): Buffer {
    return Buffer.concat(this.#pieces)
  }
}

/** What the service sent; that it cannot be read is not the caller's fault. */
function read<T>({ name, connection }: Place, reader: Reader<T>, bytes: Uint8Array): T {
  const what = `verb ${name}`
  try {
    return reader(parseJson(bytes, what), what)
  } catch (cause) {
    if (!isOrlopError(cause)) throw cause
    const why = 'the service there may be another version of orlop'
    throw new OrlopError('INTERNAL', `socket ${connection.address}: ${cause.message}; ${why}`, { cause })
  }
}

/** Of a service that is not orlop's. */
function refused({ name, connection }: Place, error: unknown): unknown {
  if (!hasCode(error, 'UNIMPLEMENTED') || (error instanceof Error && error.message.startsWith('verbs: '))) {
    return error
  }
  const why = `the service there is not orlop's, or an older one, and has no verb "${name}"`
  return new OrlopError('UNIMPLEMENTED', `socket ${connection.address}: ${why}`, { cause: error })
}
