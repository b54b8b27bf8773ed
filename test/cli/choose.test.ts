import { PassThrough } from 'node:stream'
import test from 'ava'
import { chooseOn } from '../../src/cli/choose.ts'

/** Asks with these lines typed; gives the choice and what was shown. */
async function ask(...typed: readonly string[]) {
  const input = new PassThrough()
  const output = new PassThrough()
  const choose = chooseOn(input, output)
  // Each line is typed when it is asked for.
  const lines = [...typed]
  const shown: string[] = []
  output.on('data', (chunk: Buffer) => {
    shown.push(chunk.toString())
    const line = chunk.toString().endsWith('] ') ? lines.shift() : undefined
    if (line !== undefined) input.write(line)
  })
  return { choice: choose('app', ['a.test/app:latest', 'b.test/app:latest'], {}), shown }
}

test('chooseOn() shows what may be meant and takes a number', async t => {
  const { choice, shown } = await ask('2\n')
  t.is(await choice, 'b.test/app:latest')
  t.is(shown.join(''), 'app may be\n  1  a.test/app:latest\n  2  b.test/app:latest\nWhich one? [1-2] ')
})

test('chooseOn() asks again until the number is one of them', async t => {
  const { choice, shown } = await ask('3\n', '0\n', 'a.test\n', ' 1 \n')
  t.is(await choice, 'a.test/app:latest')
  t.is(shown.filter(text => text.startsWith('Which')).length, 4)
})

test('chooseOn() takes no answer for none', async t => {
  await t.throwsAsync((await ask('\n')).choice, {
    code: 'INVALID_ARGUMENT',
    message: 'app: nothing was chosen',
  })
})
