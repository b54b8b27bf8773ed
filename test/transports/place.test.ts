import path from 'node:path'
import test from 'ava'
import { formatPlace, type Place, parsePlace } from '../../src/transports/place.ts'

const here = (name: string): string => path.resolve(name)
const hex = 'a'.repeat(64)

const reads = test.macro<[string, Place]>({
  exec(t, text, place) {
    t.deepEqual(parsePlace(text), place)
    t.deepEqual(parsePlace(formatPlace(place)), place)
  },
  title: (_, text) => `parsePlace() reads ${text}`,
})

test(reads, 'docker://busybox', { transport: 'docker', reference: 'docker.io/library/busybox:latest' })
test(reads, 'docker://127.0.0.1:5000/a/b:1', { transport: 'docker', reference: '127.0.0.1:5000/a/b:1' })
test(reads, `docker://ghcr.io/a/b@sha256:${hex}`, {
  transport: 'docker',
  reference: `ghcr.io/a/b@sha256:${hex}`,
})
test(reads, 'docker://ghcr.io/a/b@@unknown-digest@@', {
  transport: 'docker',
  reference: 'ghcr.io/a/b',
  nameless: true,
})
test(reads, 'oci:/srv/layout', { transport: 'oci', path: '/srv/layout' })
test(reads, 'oci:/srv/layout:', { transport: 'oci', path: '/srv/layout' })
test(reads, 'oci:layout:v1', { transport: 'oci', path: here('layout'), image: 'v1' })
test(reads, 'oci:layout:docker.io/library/busybox:1.36', {
  transport: 'oci',
  path: here('layout'),
  image: 'docker.io/library/busybox:1.36',
})
test(reads, 'oci:layout:x/y:z@q--r', { transport: 'oci', path: here('layout'), image: 'x/y:z@q--r' })
test(reads, 'oci:layout:@3', { transport: 'oci', path: here('layout'), index: 3 })
test(reads, 'oci-archive:a.tar:v1', { transport: 'oci-archive', path: here('a.tar'), image: 'v1' })
test(reads, 'oci-archive:a.tar', { transport: 'oci-archive', path: here('a.tar') })
test(reads, 'docker-archive:a.tar', { transport: 'docker-archive', path: here('a.tar') })
test(reads, 'docker-archive:a.tar:busybox', {
  transport: 'docker-archive',
  path: here('a.tar'),
  reference: 'docker.io/library/busybox:latest',
})
test(reads, 'docker-archive:a.tar:@0', { transport: 'docker-archive', path: here('a.tar'), index: 0 })
test(reads, 'dir:/tmp/a:b', { transport: 'dir', path: '/tmp/a:b' })
test(reads, 'store:busybox:1', { transport: 'store', name: 'busybox:1' })

const refuses = test.macro<[string, RegExp]>({
  exec(t, text, message) {
    t.throws(() => parsePlace(text), { code: 'INVALID_ARGUMENT', message })
  },
  title: (_, text) => `parsePlace() refuses ${JSON.stringify(text)}`,
})

test(refuses, '', /no transport.*docker:\/\/, oci:/)
test(refuses, 'busybox', /write docker:\/\/busybox/)
test(refuses, 'ghcr.io/a/b:1', /no transport/)
test(refuses, 'DOCKER://busybox', /no transport/)
test(refuses, 'containers-storage:busybox', /storage of podman/)
test(refuses, 'docker-daemon:busybox:latest', /no transport/)
test(refuses, 'docker:busybox', /two slashes/)
test(refuses, 'docker://', /empty/)
test(refuses, 'docker://Busybox', /lower/i)
test(refuses, `docker://a/b:1@sha256:${hex}`, /a tag and a digest/)
test(refuses, 'docker://a/b:1@@unknown-digest@@', /stands for tag and digest/)
test(refuses, 'docker://a/b@sha256:12', /sha256/)
test(refuses, 'oci:', /path is empty/)
test(refuses, 'oci::v1', /path is empty/)
test(refuses, 'oci:layout:-', /no name of an image/)
test(refuses, 'oci:layout:a//b', /no name of an image/)
test(refuses, 'oci:layout:@', /no place among the images/)
test(refuses, 'oci:layout:@-1', /no place among the images/)
test(refuses, 'oci:layout:@99999999999999999999', /no place among the images/)
test(refuses, 'oci:a\0b', /NUL/)
test(refuses, 'docker-archive:', /path is empty/)
test(refuses, `docker-archive:a.tar:b@sha256:${hex}`, /tags and no digests/)
test(refuses, 'docker-archive:a.tar:UPPER', /lower/i)
test(refuses, 'dir:', /path is empty/)
test(refuses, 'store:', /name an image/)
