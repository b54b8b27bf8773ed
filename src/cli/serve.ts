import { once } from 'node:events'
import process from 'node:process'
import { InvalidArgumentError, Option } from 'commander'
import type { AbortOptions } from '../options.ts'
import { scheduleCollections } from '../runtime/gc.ts'
import { localVerbs } from '../runtime/local-verbs.ts'
import { Runtime } from '../runtime/runtime.ts'
import { serve } from '../service/serve.ts'
import { defaultAddress, socketPath } from '../service/socket.ts'
import { rootOf } from './context.ts'
import type { Register } from './register.ts'
import { notifyReady, passedSocket } from './systemd.ts'

/** `orlop serve` */
export const registerServe: Register = (command, { out, signal, options: global }) => {
  command
    .addOption(
      new Option(
        '--socket-mode <mode>',
        'mode of the socket, in octal: who may connect may do anything with the store',
      )
        .argParser(octal)
        .default(0o600, '0600'),
    )
    .addHelpText('after', help)
    .action(async ({ socketMode }: { socketMode: number }) => {
      const root = rootOf(global)
      const fd = passedSocket()
      const address = socketPath(global.address || defaultAddress(root))
      await using runtime = await Runtime.open({ root }, { signal })
      await using collections = scheduleCollections(runtime.parts, runtime.gc, {
        onError: error =>
          out.note(`orlop: a collection failed: ${error instanceof Error ? error.message : error}`),
      })
      const parts = {
        store: runtime,
        verbs: localVerbs(runtime),
        collect: (work: AbortOptions) => collections.scheduleAndWait(work),
        log: out.note,
      }
      await using served = await serve(parts, { address, mode: socketMode, fd })
      const told = { root, address: fd === undefined ? address : `fd ${fd}`, pid: process.pid }
      if (global.json) out.json(told)
      else if (!global.quiet) out.line(`serving ${root} on ${told.address}`)
      notifyReady()
      if (!signal.aborted) await once(signal, 'abort')
      await served.close()
    })
}

const help = `
The socket is <root>/orlop.sock, or what --address says; tools of containerd use it as theirs:
  CONTAINERD_ADDRESS=<socket> ctr images list

SIGTERM or SIGINT ends the service: calls under way are finished first, for ten seconds at most.`

function octal(value: string): number {
  if (!/^0?[0-7]{3}$/.test(value)) throw new InvalidArgumentError('Give a mode like 0600 or 0660.')
  return Number.parseInt(value, 8)
}
