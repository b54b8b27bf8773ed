import test from 'ava'
import { parseLoginKey } from '../../../src/remotes/registry/login-key.ts'

const reads = test.macro({
  exec(t, text: string, host: string, namespace?: string) {
    const key = namespace === undefined ? host : `${host}/${namespace}`
    t.deepEqual(parseLoginKey(text), { key, host, ...(namespace !== undefined && { namespace }) })
  },
  title: (_, text) => `parseLoginKey() reads ${text}`,
})

test(reads, 'ghcr.io', 'ghcr.io')
test(reads, 'localhost', 'localhost')
test(reads, 'localhost:5000', 'localhost:5000')
test(reads, '[::1]:5000', '[::1]:5000')
test(reads, 'quay.io/team', 'quay.io', 'team')
test(reads, 'quay.io/team/app', 'quay.io', 'team/app')
test(reads, 'quay.io:443/team', 'quay.io:443', 'team')
test(reads, 'https://ghcr.io', 'ghcr.io')
test(reads, 'HTTP://ghcr.io/', 'ghcr.io')
test(reads, 'https://quay.io/team/', 'quay.io', 'team')

const refuses = test.macro({
  exec(t, text: string, said: RegExp) {
    t.throws(() => parseLoginKey(text), { code: 'INVALID_ARGUMENT', message: said })
  },
  title: (_, text) => `parseLoginKey() refuses ${JSON.stringify(text)}`,
})

test(refuses, '', /empty/)
test(refuses, '/', /empty/)
test(refuses, 'https://', /empty|not a host/)
test(refuses, '/team', /empty/)
test(refuses, 'quay.io/team:tag', /a tag does not belong here/)
test(refuses, 'quay.io/team@sha256:1', /a digest or a user/)
test(refuses, 'me@quay.io', /a digest or a user/)
test(refuses, 'quay.io//team', /not a part of a registry/)
test(refuses, 'quay.io/Team', /not a part of a registry/)
test(refuses, 'quay.io/a b', /not a part of a registry/)
test(refuses, 'quay io', /not a host/)
test(refuses, 'quay.io:', /not a host/)
test(refuses, 'quay.io:99999', /not a host/)
test(refuses, 'quay.io?x', /not a host/)
test(refuses, 'ftp://quay.io', /not a host/)
test(refuses, 'a\nb', /not a host/)
