import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { DamageReport } from '../metadata/level-log.ts'
import type { FetchReport } from '../remotes/registry/fetch-report.ts'
import type { GlobalOptions } from './context.ts'
import { toJson } from './output.ts'

/** What `watchDiagnostics` needs of a command. */
export interface Watched {
  /** Asked anew at each report, for the first may come while the command line is still being read. */
  readonly options: () => Pick<GlobalOptions, 'debug' | 'json'>
  readonly note: (text: string) => void
}

/** Prints what the library tells of itself: damage of the records always, each request with `--debug`. */
export function watchDiagnostics({ options, note }: Watched): Disposable {
  const onFetch = (message: unknown): void => {
    if (!options().debug) return
    const { method, url, status, milliseconds } = message as FetchReport // the channel's only type
    note(`debug: ${method} ${url}: ${status ?? 'no response'} after ${milliseconds} ms`)
  }
  const onDamage = (message: unknown): void => {
    const { message: warning } = message as DamageReport // the channel's only type
    note(options().json ? toJson({ warning: { message: warning } }) : `orlop: warning: ${warning}`)
  }
  subscribe('orlop:fetch', onFetch)
  subscribe('orlop:metadata', onDamage)
  return {
    [Symbol.dispose]: () => {
      unsubscribe('orlop:fetch', onFetch)
      unsubscribe('orlop:metadata', onDamage)
    },
  }
}
