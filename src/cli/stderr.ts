import process from 'node:process'

let isMade = false

/**
 * This process's stderr, made when it is first used: for a pipe or a terminal Node loads its sockets, a tenth of what
 * `orlop version` takes. When it is closed, the work goes on, unseen.
 */
export function stderr(): NodeJS.WriteStream {
  if (!isMade) process.stderr.on('error', () => undefined)
  isMade = true
  return process.stderr
}
