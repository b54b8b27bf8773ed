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

/** One line that is typed on a terminal after a prompt, and seen. @throws INVALID_ARGUMENT  the input ends without one */
export async function readAnswer(
  prompt: string,
  input: PasswordInput,
  output: Writable,
  { signal }: AbortOptions = {},
): Promise<string> {
  signal?.throwIfAborted()
  output.write(prompt)
  try {
    return await firstLine(input, signal, 'may be empty')
  } finally {
    input.pause()
  }
}

/** A password longer than this is a file that was piped in by mistake. */
const maxPassword = 64 * 1024

/**
 * All of `input` as a password, without one line end: what `--password-stdin` means to docker and podman.
 *
 * On a terminal one line, typed blind.
 *
 * @throws INVALID_ARGUMENT  there is none, or too much for a password
 */
export async function readWholePassword(
  input: PasswordInput,
  output: Writable,
  { signal }: AbortOptions = {},
): Promise<string> {
  if (input.isTTY === true) return readPassword('Password: ', input, output, { signal })
  signal?.throwIfAborted()
  const stop = (): void => void ('destroy' in input && typeof input.destroy === 'function' && input.destroy())
  signal?.addEventListener('abort', stop, { once: true })
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of input) {
      chunks.push(Buffer.from(chunk))
      size += chunk.length
      if (size > maxPassword) break
    }
  } finally {
    signal?.removeEventListener('abort', stop)
    signal?.throwIfAborted()
  }
  if (size > maxPassword)
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `--password-stdin: more than ${maxPassword} bytes are no password`,
    )
  const password = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
  if (password !== '') return password
  throw new OrlopError('INVALID_ARGUMENT', '--password-stdin: no password came')
}

const firstLine = (
  input: PasswordInput,
  signal: AbortSignal | undefined,
  empty?: 'may be empty',
): Promise<string> =>
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
        line === '' && empty === undefined
          ? reject(new OrlopError('INVALID_ARGUMENT', 'no password was given'))
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
    // An earlier question has paused it.
    input.resume()
    signal?.addEventListener('abort', aborted, { once: true })
  })
