import fs from 'node:fs/promises'
import path from 'node:path'
import { inspect } from 'node:util'
import test from 'ava'
import type { Credential } from '../../../src/remotes/registry/credential.ts'
import {
  credentialFor,
  dockerCredentials,
  firstCredential,
  noCredentials,
} from '../../../src/remotes/registry/credentials.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

/** A credential without where it was found. */
const secretsOf = (found: Credential | undefined): object | undefined =>
  found && Object.fromEntries(Object.entries(found).filter(([key]) => key !== 'source'))

const base64 = (text: string) => Buffer.from(text).toString('base64')
const user = { username: 'u', password: 'p:q' }
const auth = { auth: base64('u:p:q') }

const finds = test.macro({
  exec: async (t, config: object, host: string, expected: Credential | undefined) => {
    const directory = await temporaryDirectory(t)
    await fs.writeFile(path.join(directory, 'config.json'), JSON.stringify(config))
    t.deepEqual(secretsOf(await dockerCredentials({ env: { DOCKER_CONFIG: directory } })(host)), expected)
  },
  title: (_, config, host) => `dockerCredentials() of ${JSON.stringify(config)} for ${host}`,
})

test(finds, {}, 'a.test', undefined)
test(finds, { auths: {} }, 'a.test', undefined)
test(finds, { auths: null }, 'a.test', undefined)
test(finds, { auths: { 'a.test': {} } }, 'a.test', undefined)
test(finds, { auths: { 'a.test': auth } }, 'a.test', user)
test(finds, { auths: { 'a.test': auth } }, 'b.test', undefined)
test(finds, { auths: { 'a.test': auth } }, 'a.test:5000', undefined)
test(finds, { auths: { 'a.test': auth } }, 'sub.a.test', undefined)
test(finds, { auths: { test: auth } }, 'a.test', undefined)
test(finds, { auths: { 'a.test:5000': auth } }, 'a.test:5000', user)
test(finds, { auths: { 'https://a.test': auth } }, 'a.test', user)
test(finds, { auths: { 'http://a.test/v1/': auth } }, 'a.test', user)
test(finds, { auths: { 'a.test/v2/': auth } }, 'a.test', user)
test(finds, { auths: { 'A.TEST': auth } }, 'a.test', user)
test(finds, { auths: { 'a.test/team': auth } }, 'a.test', undefined)
test(finds, { auths: { 'https://a.test': { auth: base64('x:y') }, 'a.test': auth } }, 'a.test', user)
test(finds, { auths: { 'https://index.docker.io/v1/': auth } }, 'docker.io', user)
test(finds, { auths: { 'index.docker.io': auth } }, 'docker.io', user)
test(finds, { auths: { 'docker.io': auth } }, 'registry-1.docker.io', user)
test(finds, { auths: { 'evil-docker.io': auth } }, 'docker.io', undefined)
test(finds, { auths: { 'a.test': { username: 'u', password: 'p:q' } } }, 'a.test', user)
test(finds, { auths: { 'a.test': { auth: base64('u:p:q\0\0') } } }, 'a.test', user)
test(finds, { auths: { 'a.test': { auth: base64('u:'), identitytoken: 'i' } } }, 'a.test', {
  identityToken: 'i',
  username: 'u',
})
test(finds, { auths: { 'a.test': { auth: base64('u:p:q'), identitytoken: '' } } }, 'a.test', user)
test(finds, { auths: { 'a.test': auth }, credsStore: 'not-installed-anywhere' }, 'a.test', user)
test(finds, JSON.parse('{"auths":{"__proto__":{"auth":"dTpw"}}}'), '__proto__', {
  username: 'u',
  password: 'p',
})
test(finds, {}, '__proto__', undefined)
test(finds, { auths: {} }, 'constructor', undefined)

const refuses = test.macro({
  exec: async (t, text: string) => {
    const file = path.join(await temporaryDirectory(t), 'config.json')
    await fs.writeFile(file, text)
    const error = await t.throwsAsync(dockerCredentials({ file })('a.test'), { code: 'FAILED_PRECONDITION' })
    t.true(error?.message.includes(file))
    t.false(inspect(error, { depth: 9, showHidden: true }).includes('hunter2'))
  },
  title: (_, text) => `dockerCredentials() refuses ${text}, and does not quote it`,
})

test(refuses, '{"auths":{"a.test":{"auth":"hunter2')
test(refuses, '"hunter2"')
test(refuses, '["hunter2"]')
test(refuses, `{"auths":{"a.test":{"auth":"${base64('hunter2')}"}}}`)
test(refuses, `{"auths":{"a.test":{"auth":"${base64(':hunter2')}"}}}`)

test('dockerCredentials() takes an absent file, and an empty one, for no credentials', async t => {
  const file = path.join(await temporaryDirectory(t), 'config.json')
  t.is(await dockerCredentials({ file })('a.test'), undefined)
  await fs.writeFile(file, '')
  t.is(await dockerCredentials({ file })('a.test'), undefined)
})

test('dockerCredentials() sees a login that comes later', async t => {
  const file = path.join(await temporaryDirectory(t), 'config.json')
  const credentials = dockerCredentials({ file })
  t.is(await credentials('a.test'), undefined)
  await fs.writeFile(file, JSON.stringify({ auths: { 'a.test': auth } }))
  t.deepEqual(secretsOf(await credentials('a.test')), user)
})

test('dockerCredentials() rejects with the reason of a signal that fired', async t => {
  const reason = new Error('enough')
  const file = path.join(await temporaryDirectory(t), 'config.json')
  await fs.writeFile(file, '{}')
  const asked = dockerCredentials({ file })('a.test', { signal: AbortSignal.abort(reason) })
  t.is(await t.throwsAsync(asked), reason)
})

test('credentialFor() shows its credential to one host only', async t => {
  const only = credentialFor('a.test:5000', user)
  t.deepEqual(await only('a.test:5000'), user)
  t.is(await only('a.test'), undefined)
  t.is(await only('evil.test'), undefined)
  t.deepEqual(await credentialFor('docker.io', user)('registry-1.docker.io'), user)
})

test('firstCredential() asks one after the other', async t => {
  const both = firstCredential(
    noCredentials,
    credentialFor('a.test', user),
    credentialFor('a.test', { identityToken: 'i' }),
  )
  t.deepEqual(await both('a.test'), user)
  t.is(await both('b.test'), undefined)
})
