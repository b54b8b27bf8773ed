import type { ClientHttp2Session } from 'node:http2'

/** One connection of a client. */
export interface Line {
  readonly session: ClientHttp2Session
  /** What went wrong with it. */
  failure: Error | undefined
  isConnected: boolean
  /** Calls that are open. */
  calls: number
}
