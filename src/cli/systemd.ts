import { spawn } from 'node:child_process'
import process from 'node:process'
import { OrlopError } from '../errors.ts'

/** The first descriptor that systemd passes. */
const firstPassed = 3

/**
 * The socket that systemd opened for this process, if it did.
 *
 * @throws INVALID_ARGUMENT  it passed several
 * @see sd_listen_fds(3)
 */
export function passedSocket(env: NodeJS.ProcessEnv = process.env, pid = process.pid): number | undefined {
  const { LISTEN_PID, LISTEN_FDS } = env
  if (LISTEN_PID !== String(pid) || LISTEN_FDS === undefined) return undefined
  if (LISTEN_FDS === '1') return firstPassed
  throw new OrlopError('INVALID_ARGUMENT', `LISTEN_FDS=${LISTEN_FDS}: one socket is expected`)
}

/**
 * Tells systemd, where it waits for it (`Type=notify`), that the service answers. Best effort.
 *
 * Node has no datagrams on unix sockets, so systemd's own program sends it; the unit needs `NotifyAccess=all`.
 */
export function notifyReady(env: NodeJS.ProcessEnv = process.env): void {
  if (!env.NOTIFY_SOCKET) return
  const child = spawn('systemd-notify', ['--ready', `--pid=${process.pid}`], { stdio: 'ignore' })
  child.on('error', () => undefined)
  child.unref()
}
