import { channel } from 'node:diagnostics_channel'
import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import { watchDiagnostics } from '../../src/cli/debug.ts'
import { describeError } from '../../src/cli/report.ts'
import { OrlopError } from '../../src/errors.ts'
import { cliOn } from '../support/cli.ts'
import { config, layer, manifest } from '../support/image.ts'
import { publish } from '../support/publish.ts'
import { startRegistry } from '../support/registry.ts'
import { hangUp, status } from '../support/registry-faults.ts'

const secret = 'hunter2-secret'
const encoded = Buffer.from(`name:${secret}`).toString('base64')

const root = manifest(config(), layer('x'))

test('orlop --debug prints each request with its status, and no secrets', async t => {
  const run = await cliOn(t)
  const registry = await startRegistry(t, { auth: { type: 'bearer', username: 'name', password: secret } })
  const name = publish(registry, 'app', '1', root)
  const { code, stderr } = await run(`--debug images pull --user name:${secret} ${name}`)
  t.is(code, 0, stderr)
  t.regex(
    stderr,
    new RegExp(`^debug: HEAD http://${registry.host}/v2/app/manifests/1: 401 after \\d+ ms$`, 'm'),
  )
  t.regex(
    stderr,
    new RegExp(`^debug: GET http://${registry.host}/v2/app/blobs/sha256:\\w+: 200 after \\d+ ms$`, 'm'),
  )
  t.regex(stderr, /^debug: (GET|POST) .*\/token/m)
  for (const hidden of [secret, encoded, 'token-1-secret']) t.false(stderr.includes(hidden), hidden)
})

test('orlop without --debug prints no requests', async t => {
  const run = await cliOn(t)
  const registry = await startRegistry(t)
  const { stderr } = await run(`images pull ${publish(registry, 'app', '1', root)}`)
  t.notRegex(stderr, /debug:/)
})

const keeps = test.macro({
  async exec(t, fault: 'wrong password' | '403' | '500' | 'hang up' | 'basic') {
    const run = await cliOn(t)
    const type = fault === 'basic' ? 'basic' : 'bearer'
    const registry = await startRegistry(t, {
      auth: {
        type,
        username: 'name',
        password: fault === 'wrong password' || fault === 'basic' ? 'other' : secret,
      },
    })
    const name = publish(registry, 'app', '1', root)
    if (fault === '403') registry.always(/blobs/, status(403, {}, `you sent ${secret}`.slice(0, 8)))
    if (fault === '500') registry.always(/token/, status(500))
    if (fault === 'hang up') registry.always(/blobs/, hangUp)
    const { code, stderr, stdout } = await run(`--debug --json images pull --user name:${secret} ${name}`)
    t.not(code, 0)
    t.is(stdout, '')
    t.regex(stderr, /"error":\{"code"/)
    // The chain of causes stands below.
    t.regex(stderr, /at .*\.[cm]?[jt]s:/)
    for (const hidden of [secret, encoded, 'token-1-secret'])
      t.false(stderr.includes(hidden), `${hidden} in ${stderr}`)
  },
  title: (_, fault) => `orlop --debug keeps the password out of the causes: ${fault}`,
})

test(keeps, 'wrong password')
test(keeps, 'basic')
test(keeps, '403')
test(keeps, '500')
test(keeps, 'hang up')

test('orlop warns of damaged records, without --debug too', async t => {
  const run = await cliOn(t)
  await run('namespaces create one')
  const metadata = path.join(run.root, 'metadata')
  const logs = (await fs.readdir(metadata)).filter(name => name.endsWith('.log'))
  for (const name of logs) {
    const file = path.join(metadata, name)
    const bytes = await fs.readFile(file)
    if (bytes.byteLength > 20) await fs.writeFile(file, bytes.fill(0xff, 10, 20))
  }
  const { stderr } = await run('namespaces list')
  t.regex(stderr, /^orlop: warning: metadata: the database [^\n]+ left out \d+ bytes[^\n]+\n/)
})

test('watchDiagnostics() prints warnings always, as JSON when asked, and requests only with debug', t => {
  const notes: string[] = []
  const options = { debug: false, json: false }
  const fetch = { method: 'GET', url: 'http://x/', milliseconds: 3 }
  {
    using _ = watchDiagnostics({ options: () => options, note: text => notes.push(text) })
    channel('orlop:fetch').publish(fetch)
    channel('orlop:metadata').publish({ directory: '/d', message: 'lost' })
    options.debug = options.json = true
    channel('orlop:fetch').publish(fetch)
    channel('orlop:metadata').publish({ directory: '/d', message: 'lost' })
  }
  channel('orlop:fetch').publish(fetch)
  t.deepEqual(notes, [
    'orlop: warning: lost',
    'debug: GET http://x/: no response after 3 ms',
    '{"warning":{"message":"lost"}}',
  ])
})

test('describeError() is one line, whatever the error says', t => {
  t.is(describeError(new OrlopError('NOT_FOUND', 'a\n  b\u001b[2J'), {}), 'orlop: a; b\\u{1b}[2J')
  t.is(describeError(new Error('x'), { json: true }), '{"error":{"code":"UNKNOWN","message":"x"}}')
  t.is(describeError('text', {}), 'orlop: text')
  t.is(
    describeError(new OrlopError('INTERNAL', '\u009b'), { json: true }),
    '{"error":{"code":"INTERNAL","message":"\\u009b"}}',
  )
})

test('describeError() prints the causes with debug', t => {
  const error = new OrlopError('UNAVAILABLE', 'above', { cause: new Error('beneath') })
  t.regex(describeError(error, { debug: true }), /^orlop: above\n[\s\S]*\[cause\]: Error: beneath/)
})
