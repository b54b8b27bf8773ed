import test from 'ava'
import { parseReference } from '../../src/oci/reference.ts'
import { matchesIdentity, readIdentity } from '../../src/policy/identity.ts'

const one = `sha256:${'1'.repeat(64)}`
const two = `sha256:${'2'.repeat(64)}`

/** Whether a signature made for a name vouches for an image asked for by another. */
const says = test.macro<[match: object, image: string | undefined, signed: string, expected: boolean]>({
  exec(t, match, image, signed, expected) {
    const parsed = image === undefined ? undefined : parseReference(image)
    t.is(matchesIdentity(readIdentity(match, 'signedIdentity'), parsed, signed), expected)
  },
  title: (_, match, image, signed, expected) =>
    `${Object.values(match).join(' ')}: signed ${signed || 'nothing'} is ${expected ? '' : 'not '}good for ${image ?? 'what has no name'}`,
})

const exact = { type: 'matchExact' }
test(says, exact, 'q.io/a/b:1', 'q.io/a/b:1', true)
test(says, exact, 'q.io/a/b:1', 'q.io/a/b:2', false)
test(says, exact, 'q.io/a/b:1', 'q.io/a/b', false)
test(says, exact, 'q.io/a/b', 'q.io/a/b', false)
test(says, exact, 'q.io/a/b', 'q.io/a/b:latest', false)
test(says, exact, `q.io/a/b@${one}`, `q.io/a/b@${one}`, true)
test(says, exact, `q.io/a/b@${one}`, `q.io/a/b@${two}`, false)
test(says, exact, `q.io/a/b@${one}`, 'q.io/a/b:1', false)
test(says, exact, 'busybox:1', 'docker.io/library/busybox:1', true)
test(says, exact, 'busybox:1', 'busybox:1', true)
test(says, exact, 'q.io/a/b:1', '', false)
test(says, exact, 'q.io/a/b:1', 'Q.io/A', false)
test(says, exact, undefined, 'q.io/a/b:1', false)

const digestOrExact = { type: 'matchRepoDigestOrExact' }
test(says, digestOrExact, 'q.io/a/b:1', 'q.io/a/b:1', true)
test(says, digestOrExact, 'q.io/a/b:1', 'q.io/a/b:2', false)
test(says, digestOrExact, 'q.io/a/b:1', `q.io/a/b@${one}`, false)
test(says, digestOrExact, 'q.io/a/b:1', `q.io/a/b:1@${one}`, false)
test(says, digestOrExact, `q.io/a/b:1@${one}`, `q.io/a/b:1@${one}`, true)
test(says, digestOrExact, `q.io/a/b:1@${one}`, 'q.io/a/b:1', false)
test(says, digestOrExact, `q.io/a/b@${one}`, 'q.io/a/b:1', true)
test(says, digestOrExact, `q.io/a/b@${one}`, `q.io/a/b@${two}`, true)
test(says, digestOrExact, `q.io/a/b@${one}`, 'q.io/a/b', false)
test(says, digestOrExact, `q.io/a/b@${one}`, 'q.io/a/c:1', false)
test(says, digestOrExact, 'q.io/a/b', 'q.io/a/b:1', false)
test(says, digestOrExact, undefined, 'q.io/a/b:1', false)

const repository = { type: 'matchRepository' }
test(says, repository, 'q.io/a/b:1', 'q.io/a/b:2', true)
test(says, repository, 'q.io/a/b:1', 'q.io/a/b', true)
test(says, repository, 'q.io/a/b', 'q.io/a/b', true)
test(says, repository, `q.io/a/b@${one}`, `q.io/a/b@${two}`, true)
test(says, repository, 'q.io/a/b:1', 'q.io/a/c:1', false)
test(says, repository, 'q.io/a/b:1', 'r.io/a/b:1', false)
test(says, repository, 'q.io/a/b:1', 'q.io:443/a/b:1', false)
test(says, repository, undefined, 'q.io/a/b', false)

const exactReference = { type: 'exactReference', dockerReference: 'q.io/a/b:1' }
test(says, exactReference, 'other.io/x:9', 'q.io/a/b:1', true)
test(says, exactReference, undefined, 'q.io/a/b:1', true)
test(says, exactReference, 'q.io/a/b:1', 'q.io/a/b:2', false)
test(says, exactReference, 'q.io/a/b:1', 'q.io/a/b', false)
test(
  says,
  { type: 'exactReference', dockerReference: 'busybox:1' },
  undefined,
  'docker.io/library/busybox:1',
  true,
)

const exactRepository = { type: 'exactRepository', dockerRepository: 'q.io/a/b' }
test(says, exactRepository, 'other.io/x:9', 'q.io/a/b:1', true)
test(says, exactRepository, undefined, 'q.io/a/b', true)
test(says, exactRepository, 'q.io/a/b:1', 'q.io/a:1', false)
test(says, exactRepository, 'q.io/a/b:1', 'q.io/a/b/c:1', false)

const remap = (prefix: string, signedPrefix: string) => ({ type: 'remapIdentity', prefix, signedPrefix })
test(says, remap('mirror:5000', 'q.io'), 'mirror:5000/a/b:1', 'q.io/a/b:1', true)
test(says, remap('mirror:5000', 'q.io'), 'mirror:5000/a/b:1', 'q.io/a/b:2', false)
test(says, remap('mirror:5000', 'q.io'), 'mirror:5000/a/b:1', 'mirror:5000/a/b:1', false)
test(says, remap('mirror:5000', 'q.io'), 'other.io/a/b:1', 'other.io/a/b:1', true)
test(says, remap('mirror', 'q.io'), 'mirror:5000/a/b:1', 'q.io:5000/a/b:1', false)
test(says, remap('m.io/vendor', 'q.io'), 'm.io/vendor/b:1', 'q.io/b:1', true)
test(says, remap('m.io/vendor', 'q.io'), 'm.io/vendor-other/b:1', 'q.io-other/b:1', false)
test(says, remap('m.io/vendor', 'q.io'), 'm.io/vendor-other/b:1', 'm.io/vendor-other/b:1', true)
test(says, remap('m.io/vendor/b', 'q.io/x'), 'm.io/vendor/b:1', 'q.io/x:1', true)
test(says, remap('m.io', 'q.io'), `m.io/a@${one}`, 'q.io/a:7', true)
test(says, remap('m.io', 'docker.io'), 'm.io/busybox:1', 'docker.io/library/busybox:1', false)
test(says, remap('m.io', 'docker.io/library'), 'm.io/busybox:1', 'docker.io/library/busybox:1', true)
test(says, remap('m.io/a', 'q.io'), 'm.io/a:1', 'q.io:1', false)
test(says, remap('m.io', 'q.io'), undefined, 'q.io/a:1', false)
