import { once } from 'node:events'
import process from 'node:process'
import { InvalidArgumentError, Option } from 'commander'
import { isUnavailable } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import { scheduleCollections } from '../runtime/gc.ts'
import { localVerbs } from '../runtime/local-verbs.ts'
import { tellSharing } from '../runtime/owner-file.ts'
import { Runtime } from '../runtime/runtime.ts'
import { type Served, serve } from '../service/serve.ts'
import { patience, whileHeld } from '../service/shared/held.ts'
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
      const note = (text: string): void => out.note(`orlop: ${text}`)
      await using runtime = await openWhenFree(root, note, { signal })
      await using collections = scheduleCollections(runtime.parts, runtime.gc, {
        onError: error => note(`a collection failed: ${error instanceof Error ? error.message : error}`),
      })
      const parts = {
        store: runtime,
        verbs: localVerbs(runtime),
        collect: (work: AbortOptions) => collections.scheduleAndWait(work),
        log: out.note,
      }
      await using served = await serve(parts, { address, mode: socketMode, fd })
      if (fd !== undefined || address !== defaultAddress(root)) await letCommandsIn(served, root, note)
      await tellSharing(root, 'always')
      const told = { root, address: fd === undefined ? address : `fd ${fd}`, pid: process.pid }
      if (global.json) out.json(told)
      else if (!global.quiet) out.line(`serving ${root} on ${told.address}`)
      notifyReady()
      if (!signal.aborted) await once(signal, 'abort')
      await served.close()
    })
}

/** Waits for commands that have the store for now; for another service it would wait for ever. */
const openWhenFree = (root: string, note: (text: string) => void, options: AbortOptions): Promise<Runtime> =>
  whileHeld(
    root,
    () => Runtime.open({ root }, options),
    owner => {
      if (owner?.shares !== 'until-done') return owner?.shares === 'always' ? 0 : patience
      note(`waiting for process ${owner.pid} (${owner.command}), which has the store until it is done`)
      return Number.POSITIVE_INFINITY
    },
    options,
  )

/** Commands on the root look for its own socket. One that somebody listens on is what systemd has passed, as a rule. */
async function letCommandsIn(served: Served, root: string, note: (text: string) => void): Promise<void> {
  try {
    await served.listen({ address: defaultAddress(root) })
  } catch (error) {
    if (!isUnavailable(error)) note(`${error instanceof Error ? error.message : error}`)
  }
}

const help = `
The socket is <root>/orlop.sock, or what --address says; tools of containerd use it as theirs:
  CONTAINERD_ADDRESS=<socket> ctr images list

Other commands on the root go on beside it, through its socket in the root. One that has the root now is waited for.

SIGTERM or SIGINT ends the service: calls under way are finished first, for ten seconds at most.`

function octal(value: string): number {
  if (!/^0?[0-7]{3}$/.test(value)) throw new InvalidArgumentError('Give a mode like 0600 or 0660.')
  return Number.parseInt(value, 8)
}
