import type { Writable } from 'node:stream'
import type { ReadStream } from 'node:tty'
import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'

/** Where a password is typed, or piped in. */
export type PasswordInput = NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY' | 'setRawMode'>>

/**
 * One line of `input`, without its end: typed blind on a terminal after a prompt, or the first line of a pipe.
 *
 * @throws INVALID_ARGUMENT  the input ends without one
 */
export async function readPassword(
  prompt: string,
  input: PasswordInput,
  output: Writable,
  { signal }: AbortOptions = {},
): Promise<string> {
  signal?.throwIfAborted()
  const blind = input.isTTY === true
  if (blind) {
    output.write(prompt)
    input.setRawMode?.(true)
  }
  try {
    return await firstLine(input, signal)
  } finally {
    if (blind) {
      input.setRawMode?.(false)
      output.write('\n')
    }
    input.pause()
  }
}

const firstLine = (input: PasswordInput, signal: AbortSignal | undefined): Promise<string> =>
  new Promise((resolve, reject) => {
    let line = ''
    const finish = (end: () => void): void => {
      input.off('data', take).off('end', ended).off('error', reject)
      signal?.removeEventListener('abort', aborted)
      end()
    }
    const aborted = (): void => finish(() => reject(signal?.reason))
    const ended = (): void =>
      finish(() =>
        line === ''
          ? reject(new OrlopError('INVALID_ARGUMENT', '--user: no password was given'))
          : resolve(line),
      )
    const take = (chunk: Buffer | string): void => {
      for (const char of chunk.toString()) {
        if (char === '\n' || char === '\r' || char === '\u0004') {
          ended()
          return
        }
        // In raw mode Ctrl-C makes no signal.
        if (char === '\u0003') process.kill(process.pid, 'SIGINT')
        else if (char === '\u007f' || char === '\b') line = line.slice(0, -1)
        else line += char
      }
    }
    input.on('data', take).on('end', ended).on('error', reject)
    signal?.addEventListener('abort', aborted, { once: true })
  })
