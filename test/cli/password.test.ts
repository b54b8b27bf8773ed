import { PassThrough } from 'node:stream'
import test from 'ava'
import { type PasswordInput, readAnswer, readPassword, readWholePassword } from '../../src/cli/password.ts'

/** A terminal, or a pipe, that says what it is given; and what was written to the other side. */
function setting(kind: 'terminal' | 'pipe') {
  const raw: boolean[] = []
  const stream = new PassThrough()
  const input: PasswordInput & PassThrough =
    kind === 'pipe'
      ? stream
      : Object.assign(stream, {
          isTTY: true as const,
          setRawMode: (mode: boolean) => {
            raw.push(mode)
            return stream
          },
        })
  const output = new PassThrough()
  return { input, output, raw, written: () => String(output.read() ?? '') }
}

test('readPassword() asks on a terminal, blind, and puts the terminal back', async t => {
  const { input, output, raw, written } = setting('terminal')
  const typed = readPassword('Password: ', input, output)
  for (const key of ['hun', 'x', '\u007f', 'ter2', '\r']) input.write(key)
  t.is(await typed, 'hunter2')
  t.deepEqual(raw, [true, false])
  t.is(written(), 'Password: \n')
})

test('readPassword() takes the first line of a pipe, and asks nothing', async t => {
  const { input, output, written } = setting('pipe')
  input.end('hunter2\nmore\n')
  t.is(await readPassword('Password: ', input, output), 'hunter2')
  t.is(written(), '')
})

test('readPassword() wants one', async t => {
  const { input, output, raw } = setting('terminal')
  const typed = readPassword('Password: ', input, output)
  input.write('\n')
  await t.throwsAsync(typed, { code: 'INVALID_ARGUMENT', message: 'no password was given' })
  t.deepEqual(raw, [true, false])
})

test('readAnswer() shows what is typed, and may be answered with nothing', async t => {
  for (const answer of ['me', '']) {
    const { input, output, raw, written } = setting('terminal')
    const typed = readAnswer('Username: ', input, output)
    input.write(`${answer}\n`)
    t.is(await typed, answer)
    t.deepEqual(raw, [])
    t.is(written(), 'Username: ')
  }
})

test('one question can follow another', async t => {
  const { input, output } = setting('terminal')
  const name = readAnswer('Username: ', input, output)
  input.write('me\n')
  t.is(await name, 'me')
  t.true(input.isPaused())
  const typed = readPassword('Password: ', input, output)
  input.write('hunter2\r')
  t.is(await typed, 'hunter2')
})

test('an abort ends every question with its reason, and puts the terminal back', async t => {
  for (const ask of [
    (...[input, output, options]: Parameters<typeof readWholePassword>) =>
      readPassword('?', input, output, options),
    (...[input, output, options]: Parameters<typeof readWholePassword>) =>
      readAnswer('?', input, output, options),
    readWholePassword,
  ]) {
    for (const kind of ['terminal', 'pipe'] as const) {
      const { input, output, raw } = setting(kind)
      const stop = new AbortController()
      const reason = new Error('enough')
      const asked = ask(input, output, { signal: stop.signal })
      stop.abort(reason)
      t.is(await t.throwsAsync(asked), reason)
      t.is(raw.at(-1) ?? false, false)
    }
  }
})

const reads = test.macro<[string, string]>({
  exec: async (t, piped, password) => {
    const { input, output } = setting('pipe')
    input.end(piped)
    t.is(await readWholePassword(input, output), password)
  },
  title: (_, piped) => `--password-stdin takes ${JSON.stringify(piped)}`,
})

test(reads, 'hunter2', 'hunter2')
test(reads, 'hunter2\n', 'hunter2')
test(reads, 'hunter2\r\n', 'hunter2')
test(reads, 'two\nlines\n', 'two\nlines')
test(reads, ' blanks \n\n', ' blanks \n')
test(reads, 'ünïcode', 'ünïcode')

test('--password-stdin on a terminal is typed blind', async t => {
  const { input, output, raw } = setting('terminal')
  const typed = readWholePassword(input, output)
  input.write('hunter2\r')
  t.is(await typed, 'hunter2')
  t.deepEqual(raw, [true, false])
})

test('--password-stdin refuses what is no password', async t => {
  for (const piped of ['', '\n', 'x'.repeat(70_000)]) {
    const { input, output } = setting('pipe')
    input.end(piped)
    await t.throwsAsync(readWholePassword(input, output), { code: 'INVALID_ARGUMENT' })
  }
})
