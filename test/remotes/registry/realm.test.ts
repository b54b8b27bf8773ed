import test from 'ava'
import { realmOf } from '../../../src/remotes/registry/realm.ts'

const user = { username: 'u', password: 'hunter2' }

const takes = test.macro({
  exec(t, registry: string, realm: string, credential?: typeof user) {
    t.is(realmOf(realm, { name: 'a.test', origin: new URL(registry) }, credential).href, realm)
  },
  title: (_, registry, realm, credential) =>
    `${registry} may name the token server ${realm} ${credential ? 'for credentials' : 'for nobody'}`,
})

const refuses = test.macro({
  exec(t, registry: string, realm: string, said: RegExp, credential?: typeof user) {
    const error = t.throws(() => realmOf(realm, { name: 'a.test', origin: new URL(registry) }, credential), {
      code: 'UNAUTHENTICATED',
      message: said,
    })
    t.false(error?.message.includes('hunter2'))
  },
  title: (_, registry, realm, _said, credential) =>
    `${registry} may not name the token server ${realm} ${credential ? 'for credentials' : 'for nobody'}`,
})

test(takes, 'https://a.test/', 'https://a.test/token', user)
test(takes, 'https://a.test/', 'https://auth.test/token', user)
test(takes, 'https://a.test/', 'http://auth.test/token')
test(takes, 'http://a.test/', 'http://a.test/token', user)
test(takes, 'http://a.test/', 'http://auth.test/token', user)
test(takes, 'http://a.test/', 'https://auth.test/token', user)
test(takes, 'https://127.0.0.1:5000/', 'https://127.0.0.1:5001/token', user)
test(takes, 'https://localhost/', 'https://[::1]:5001/token', user)
test(takes, 'http://a.test/', 'http://127.0.0.1:5001/token', user)
test(takes, 'https://a.test/', 'https://10.0.0.1/token', user)
test(takes, 'https://a.test/', 'https://169.254.1.com/token', user)

const plain = /over plain http; the credentials were not sent/
const inner = /an address of this machine or next to it/
const CVE_2019_10214 = 'http://a.test/token'
test(
  'CVE-2019-10214: credentials of a registry with TLS do not go to a token server without',
  refuses,
  'https://a.test/',
  CVE_2019_10214,
  plain,
  user,
)
test(refuses, 'https://a.test/', 'http://auth.test/token', plain, user)
test(refuses, 'https://127.0.0.1/', 'http://127.0.0.1/token', plain, user)
test(refuses, 'https://a.test/', '', /names no token server/)
test(refuses, 'https://a.test/', '/token', /names no token server/)
test(refuses, 'https://a.test/', 'token', /names no token server/, user)
test(refuses, 'https://a.test/', 'ftp://a.test/token', /over http or https but ftp:/)
test(refuses, 'https://a.test/', 'file:///etc/passwd', /over http or https but file:/)
test(refuses, 'http://a.test/', 'javascript:x', /over http or https but javascript:/)
// go-containerregistry 2243: what a cloud tells to whoever asks from inside.
for (const realm of [
  'http://169.254.169.254/latest/meta-data',
  'http://169.254.170.2/v2/credentials',
  'https://[fe80::1]/token',
  'https://127.0.0.1/token',
  'https://127.1/token',
  'https://2130706433/token',
  'https://0x7f.0.0.1/token',
  'https://0.0.0.0/token',
  'https://[::]/token',
  'https://[::1]/token',
  'https://localhost/token',
  'https://LOCALHOST./token',
  'https://x.localhost/token',
])
  test(refuses, 'https://a.test/', realm, inner)
