import test from 'ava'
import { digestOf } from '../../src/oci/digest.ts'
import { maxConfigSize, parseImageConfig } from '../../src/oci/image-config.ts'

const bytes = (value: unknown): Uint8Array =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const diffIds = [digestOf('a'), digestOf('b', 'sha512')]

test('parseImageConfig() gives platform, diff ids and history, and keeps the rest', t => {
  const json = {
    architecture: 'arm64',
    os: 'linux',
    variant: 'v8',
    'os.version': '1',
    'os.features': ['f'],
    created: '2024-01-02T03:04:05.123456789Z',
    author: 'me',
    config: { Env: ['A=b'], Labels: { a: 'b' } },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: [
      { created: '2024-01-02T03:04:05Z', created_by: 'ADD a', author: 'x', comment: 'y' },
      { created_by: 'ENV', empty_layer: true },
      { empty_layer: false },
    ],
  }
  const config = parseImageConfig(bytes(json))
  t.deepEqual(config, {
    platform: { os: 'linux', architecture: 'arm64', variant: 'v8', osVersion: '1', osFeatures: ['f'] },
    diffIds,
    history: [
      { created: '2024-01-02T03:04:05Z', createdBy: 'ADD a', author: 'x', comment: 'y' },
      { createdBy: 'ENV', emptyLayer: true },
      {},
    ],
    created: '2024-01-02T03:04:05.123456789Z',
    author: 'me',
    json,
  })
  for (const part of [config, config.platform, config.diffIds, config.history, config.history[0]])
    t.true(Object.isFrozen(part))
})

test('parseImageConfig() takes the empty config of artifacts', t => {
  t.deepEqual(parseImageConfig(bytes('{}')), {
    platform: { os: '', architecture: '' },
    diffIds: [],
    history: [],
    json: {},
  })
  t.deepEqual(parseImageConfig(bytes({ rootfs: null, history: null, os: null })).diffIds, [])
  t.deepEqual(parseImageConfig(bytes({ rootfs: { type: 'layers', diff_ids: null } })).diffIds, [])
})

const refuses = test.macro<[what: string, document: unknown, message: RegExp]>({
  exec(t, _, document, message) {
    t.throws(() => parseImageConfig(bytes(document), 'doc'), { code: 'INVALID_ARGUMENT', message })
  },
  title: (_, what) => `parseImageConfig() refuses ${what}`,
})

test(refuses, 'no JSON', 'x', /doc: not JSON/)
test(refuses, 'a list', [], /doc: expected an object, got an array/)
test(
  refuses,
  'a wrong diff id',
  { rootfs: { diff_ids: ['sha256:a'] } },
  /^doc\.rootfs\.diff_ids\[0\]: digest "sha256:a"/,
)
test(refuses, 'a root file system that is none', { rootfs: 'x' }, /doc\.rootfs: expected an object/)
test(refuses, 'history that is none', { history: [1] }, /doc\.history\[0\]: expected an object, got 1/)
test(
  refuses,
  'an architecture that is no text',
  { architecture: 1 },
  /doc\.architecture: expected a string, got 1/,
)
test(
  refuses,
  'two architectures',
  '{"architecture":"a","architecture":"b"}',
  /key "architecture" appears twice/,
)
test(
  refuses,
  'an architecture in other case',
  { architecture: 'a', Architecture: 'b' },
  /"Architecture" can be taken for "architecture"/,
)
test(refuses, 'a root file system in other case', { RootFS: {} }, /"RootFS" can be taken for "rootfs"/)
test(refuses, 'diff ids in other case', { rootfs: { DIFF_IDS: [] } }, /doc\.rootfs: key "DIFF_IDS"/)
test(
  refuses,
  'more than 1 MiB',
  ' '.repeat(maxConfigSize + 1),
  /doc: 1048577 bytes, more than the 1048576 allowed/,
)
