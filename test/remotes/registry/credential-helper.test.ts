import fs from 'node:fs/promises'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { helperCredential } from '../../../src/remotes/registry/credential-helper.ts'
import { dockerCredentials } from '../../../src/remotes/registry/credentials.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

/** An environment whose PATH has `docker-credential-test` doing what `script` says. */
async function helper(t: ExecutionContext, script: string): Promise<NodeJS.ProcessEnv> {
  const directory = await temporaryDirectory(t)
  await fs.writeFile(path.join(directory, 'docker-credential-test'), `#!/bin/sh\n${script}\n`, {
    mode: 0o755,
  })
  return { PATH: `${directory}${path.delimiter}${process.env.PATH}`, DOCKER_CONFIG: directory }
}

test('helperCredential() gives the server on stdin and reads user and secret', async t => {
  const env = await helper(
    t,
    'read server; echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"$1-$server\\",\\"Secret\\":\\"s\\"}"',
  )
  t.deepEqual(await helperCredential('test', 'a.test', { env }), {
    username: 'get-a.test',
    password: 's',
    source: 'docker-credential-test for a.test',
  })
})

test('helperCredential() takes the user <token> for an identity token', async t => {
  const env = await helper(t, 'echo \'{"Username":"<token>","Secret":"i"}\'')
  t.like(await helperCredential('test', 'a.test', { env }), { identityToken: 'i' })
})

test('helperCredential() takes "credentials not found" for none', async t => {
  const env = await helper(t, 'echo "credentials not found in native keychain"; exit 1')
  t.is(await helperCredential('test', 'a.test', { env }), undefined)
})

test('helperCredential() says what a helper said that failed', async t => {
  const env = await helper(t, 'echo "the keychain is locked"; exit 1')
  await t.throwsAsync(helperCredential('test', 'a.test', { env }), {
    code: 'UNAUTHENTICATED',
    message: /docker-credential-test for a\.test failed: the keychain is locked/,
  })
})

test('helperCredential() does not quote an answer of a helper that fails', async t => {
  const env = await helper(t, 'echo \'{"Username":"u","Secret":"hunter2"}\'; exit 1')
  const error = await t.throwsAsync(helperCredential('test', 'a.test', { env }), { code: 'UNAUTHENTICATED' })
  t.regex(error?.message ?? '', /failed$/)
})

test('helperCredential() does not wait for an agent that a helper leaves behind', async t => {
  const env = await helper(t, 'echo \'{"Username":"u","Secret":"s"}\'; sleep 3 & exit 0')
  t.like(await helperCredential('test', 'a.test', { env }), { username: 'u' })
})

test('helperCredential() does not quote an answer that it cannot read', async t => {
  const env = await helper(t, 'echo "hunter2"')
  const error = await t.throwsAsync(helperCredential('test', 'a.test', { env }), { code: 'UNAUTHENTICATED' })
  t.false(error?.message.includes('hunter2'))
})

test('helperCredential() stops a helper that takes too long', async t => {
  const env = await helper(t, 'exec sleep 1000')
  await t.throwsAsync(helperCredential('test', 'a.test', { env, helperTimeoutMs: 50 }), {
    code: 'UNAUTHENTICATED',
    message: /within 50 ms/,
  })
})

test('helperCredential() stops a helper that never stops talking', async t => {
  const env = await helper(t, 'exec yes')
  await t.throwsAsync(helperCredential('test', 'a.test', { env }), { message: /too long/ })
})

test('helperCredential() rejects with the reason of a signal that fires', async t => {
  const env = await helper(t, 'exec sleep 1000')
  const stop = new AbortController()
  const reason = new Error('enough')
  const asked = helperCredential('test', 'a.test', { env, signal: stop.signal })
  stop.abort(reason)
  t.is(await t.throwsAsync(asked), reason)
})

test('helperCredential() says which program is missing', async t => {
  await t.throwsAsync(helperCredential('not-installed-anywhere', 'a.test'), {
    code: 'NOT_FOUND',
    message: /docker-credential-not-installed-anywhere is not on PATH/,
  })
})

const refuses = test.macro({
  exec: async (t, name: string) => {
    await t.throwsAsync(helperCredential(name, 'a.test'), { code: 'INVALID_ARGUMENT' })
  },
  title: (_, name) => `helperCredential() refuses the name ${JSON.stringify(name)}`,
})

for (const name of ['', '../x', '/bin/sh', 'a b', 'a;b', '-x', '.x', 'a\0b']) test(refuses, name)

test('dockerCredentials() asks the helper of a host before the store of all', async t => {
  const env = await helper(t, 'read server; echo "{\\"Username\\":\\"$server\\",\\"Secret\\":\\"s\\"}"')
  const config = { credHelpers: { 'a.test': 'test' }, credsStore: 'not-installed-anywhere', auths: {} }
  await fs.writeFile(path.join(env.DOCKER_CONFIG ?? '', 'config.json'), JSON.stringify(config))
  t.like(await dockerCredentials({ env })('a.test'), { username: 'a.test', password: 's' })
  t.is(await dockerCredentials({ env })('b.test'), undefined)
})

test('dockerCredentials() asks a helper for Docker Hub by its old address', async t => {
  const env = await helper(t, 'read server; echo "{\\"Username\\":\\"$server\\",\\"Secret\\":\\"s\\"}"')
  await fs.writeFile(path.join(env.DOCKER_CONFIG ?? '', 'config.json'), '{"credsStore":"test"}')
  t.like(await dockerCredentials({ env })('docker.io'), {
    username: 'https://index.docker.io/v1/',
    password: 's',
  })
})

test('dockerCredentials() fails when the helper named for a host is missing', async t => {
  const env = await helper(t, 'exit 1')
  await fs.writeFile(
    path.join(env.DOCKER_CONFIG ?? '', 'config.json'),
    '{"credHelpers":{"a.test":"not-installed-anywhere"}}',
  )
  await t.throwsAsync(dockerCredentials({ env })('a.test'), { message: /not on PATH/ })
})
