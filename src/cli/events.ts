import type { Envelope } from '../metadata/exchange.ts'
import { printableLine, toJson } from './output.ts'
import type { Register } from './register.ts'

/** `orlop events` */
export const registerEvents: Register = (command, { out, signal, store, options: global }) => {
  command
    .argument(
      '[filter...]',
      'containerd’s filters over namespace, topic and event.<field>; any one is enough',
    )
    .addHelpText('after', limits)
    .action(async (filters: string[]) => {
      const { events, root } = await store()
      const whose = global.address ? 'the service on' : 'the store'
      const arrivals = events.subscribe(filters, { signal })
      if (!global.quiet) out.note(`orlop: listening to ${whose} ${root}; SIGINT ends it`)
      using _ = keepAlive()
      for await (const envelope of arrivals) {
        const line = global.json ? toJson(envelope) : lineOf(envelope)
        // Waits for whoever reads stdout, so that the queue that is bounded is the one that grows.
        await out.bytes(Buffer.from(`${printableLine(line)}\n`))
      }
      signal.throwIfAborted()
    })
}

const limits = `
Prints one line for each event as it happens: time, namespace, topic and the event as JSON; with --json each line is one
document. Events of all namespaces come, unless a filter says otherwise:

  orlop events 'topic~="^/images/"' 'namespace==k8s.io,topic=="/content/delete"'

Topics: /images/create, /images/update, /images/delete, /content/create, /content/delete, /namespaces/create,
/namespaces/update, /namespaces/delete. Leases emit none. Nothing is kept: what happened before is not shown.

What any process does that shares the root is shown, but for what happens between the end of the one that owns the store
and the next one's taking over.

Ends with 130 when it is interrupted, and with 8 when stdout is read so slowly that events had to be dropped.`

const lineOf = ({ timestamp, namespace, topic, event }: Envelope): string =>
  `${timestamp.toISOString()} ${namespace} ${topic} ${toJson(event)}`

/** Node ends a process that only waits for a promise. */
function keepAlive(): Disposable {
  const timer = setInterval(() => undefined, 2 ** 30)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
