import test from 'ava'
import { orlop } from '../support/run.ts'

test('orlop serve --help shows the mode of the socket as it is given: in octal', async t => {
  const { code, stdout } = await orlop(['serve', '--help'])
  t.is(code, 0)
  t.regex(stdout, /--socket-mode <mode>[\s\S]*\(default:\s+0600\)/)
})
