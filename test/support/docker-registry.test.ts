import { registryUser, startDockerRegistry } from './docker-registry.ts'
import { testWith } from './programs.ts'

const test = testWith('docker-registry')

test('startDockerRegistry() gives a registry that answers', async t => {
  const registry = await startDockerRegistry(t)
  t.is((await fetch(`${registry.url}/v2/`)).status, 200)
})

test('startDockerRegistry() with Basic lets in only its user', async t => {
  const registry = await startDockerRegistry(t, { auth: 'basic' })
  const anonymous = await fetch(`${registry.url}/v2/`)
  t.is(anonymous.status, 401)
  t.is(anonymous.headers.get('www-authenticate'), 'Basic realm="orlop tests"')
  const authorization = `Basic ${btoa(`${registryUser.name}:${registryUser.password}`)}`
  t.is((await fetch(`${registry.url}/v2/`, { headers: { authorization } })).status, 200)
})
