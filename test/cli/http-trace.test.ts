import test from 'ava'
import { image } from '../support/image.ts'
import { publish } from '../support/publish.ts'
import { startRegistry } from '../support/registry.ts'
import { change, redirect } from '../support/registry-faults.ts'
import { orlop } from '../support/run.ts'

const username = 'keeper'
const password = 'hunter2-secret'
const root = image('linux/amd64', 'a layer')

test('--http-trace prints requests and responses, and no secret', async t => {
  const registry = await startRegistry(t, { auth: { type: 'bearer', username, password } })
  const name = publish(registry, 'app', '1', root)
  // Everything that a registry can repeat of what it was sent.
  registry.next(/^GET \/v2\/app\/manifests/, exchange =>
    change(() => ({
      status: 403,
      headers: {
        'x-secret': 'sesame',
        'set-cookie': 'session=sesame',
        warning: `299 - "${exchange.request.headers.authorization}"`,
      },
      body: Buffer.from(
        JSON.stringify({
          errors: [{ code: 'DENIED', message: `you sent ${exchange.request.headers.authorization}` }],
          token: 'sesame',
        }),
      ),
    }))(exchange),
  )
  registry.next(
    /^HEAD/,
    change(answer => answer),
    redirect('/v2/app/manifests/1?X-Amz-Signature=sesame&n=5'),
  )
  const { stderr, code } = await orlop([
    'registry',
    'manifest',
    '--http-trace',
    '--user',
    `${username}:${password}`,
    name,
  ])
  t.is(code, 6)
  for (const line of [
    /^> \d+ HEAD http:\/\/127\.0\.0\.1:\d+\/v2\/app\/manifests\/1$/m,
    /^> \d+ authorization: Bearer REDACTED$/m,
    /^> \d+ .*grant_type=password&.*password=REDACTED$/m,
    /^> \d+ user-agent: orlop\//m,
    /^< \d+ 401 after \d+ ms$/m,
    /^< \d+ www-authenticate: Bearer realm="http:.*scope="repository:app:pull"$/m,
    /^< \d+ location: http:\/\/.*\?X-Amz-Signature=REDACTED&n=5$/m,
    /^< \d+ set-cookie: REDACTED$/m,
    /^< \d+ x-secret: REDACTED$/m,
    /^< \d+ \{"access_token":"REDACTED"/m,
    /^< \d+ \{"errors":\[\{"code":"DENIED","message":"you sent Bearer REDACTED"\}\],"token":"REDACTED"\}$/m,
  ])
    t.regex(stderr, line)
  const secrets = [
    password,
    'token-1-secret',
    'sesame',
    Buffer.from(`${username}:${password}`).toString('base64'),
  ]
  for (const secret of secrets) t.false(stderr.includes(secret), secret)
})

test('--http-trace with --json prints one object a step', async t => {
  const registry = await startRegistry(t)
  const name = publish(registry, 'app', '1', root)
  const { stderr, stdout } = await orlop(['--json', 'registry', 'manifest', '--http-trace', name])
  const steps = stderr
    .trim()
    .split('\n')
    .map(line => JSON.parse(line).http)
  t.deepEqual(
    steps.map(({ id, type }) => `${id} ${type}`),
    ['1 request', '1 response', '2 request', '2 response', '2 body'],
  )
  t.is(steps[4].bytes, root.desc.size)
  t.is(JSON.parse(steps[4].text).layers.length, 1)
  t.is(JSON.parse(stdout).name, name)
})
