import test from 'ava'
import {
  configType,
  convertedLayerType,
  documentType,
  type Format,
  readLayerType,
} from '../../../src/images/convert/layer-type.ts'
import type { Compression } from '../../../src/images/decompress.ts'
import { mediaTypes as types } from '../../../src/oci/media-type.ts'

const converts = test.macro<[string, Format, Compression, string]>({
  exec(t, from, format, compression, to) {
    const type = readLayerType(from)
    t.truthy(type)
    if (type) t.is(convertedLayerType(type, format, compression), to)
  },
  title: (_, from, format, compression) => `${from} as ${compression} of ${format}`,
})

test(converts, types.ociLayer, 'oci', 'gzip', types.ociLayerGzip)
test(converts, types.ociLayer, 'oci', 'zstd', types.ociLayerZstd)
test(converts, types.ociLayerGzip, 'oci', 'none', types.ociLayer)
test(converts, types.ociLayerZstd, 'oci', 'gzip', types.ociLayerGzip)
test(converts, types.ociLayerGzip, 'docker', 'gzip', types.dockerLayerGzip)
test(converts, types.ociLayer, 'docker', 'none', types.dockerLayer)
test(converts, types.dockerLayerGzip, 'oci', 'gzip', types.ociLayerGzip)
test(converts, types.dockerLayer, 'oci', 'none', types.ociLayer)
test(converts, types.dockerLayerZstd, 'oci', 'zstd', types.ociLayerZstd)
test(converts, types.dockerForeignLayer, 'oci', 'none', types.ociNondistributableLayer)
test(converts, types.dockerForeignLayerGzip, 'oci', 'gzip', types.ociNondistributableLayerGzip)
test(converts, types.ociNondistributableLayerGzip, 'docker', 'gzip', types.dockerForeignLayerGzip)

const refuses = test.macro<[string, Format, Compression]>({
  exec(t, from, format, compression) {
    const type = readLayerType(from)
    t.truthy(type)
    if (type)
      t.throws(() => convertedLayerType(type, format, compression), {
        code: 'FAILED_PRECONDITION',
        message: /zstd/,
      })
  },
  title: (_, from, format, compression) => `${from} cannot be ${compression} of ${format}`,
})

test(refuses, types.ociLayerZstd, 'docker', 'zstd')
test(refuses, types.ociNondistributableLayerZstd, 'docker', 'zstd')

for (const mediaType of [
  types.erofsLayer,
  types.ociConfig,
  types.inToto,
  `${types.ociLayerGzip}+encrypted`,
  `${types.ociLayer}+encrypted`,
  'text/plain',
]) {
  test(`${mediaType} is no layer that can be converted`, t => {
    t.is(readLayerType(mediaType), undefined)
  })
}

test('documents have a type in each format, and others keep theirs', t => {
  t.is(documentType(types.dockerManifestList, 'oci'), types.ociIndex)
  t.is(documentType(types.ociIndex, 'docker'), types.dockerManifestList)
  t.is(documentType(types.ociManifest, 'docker'), types.dockerManifest)
  t.is(documentType(types.ociManifest, 'oci'), types.ociManifest)
  t.is(documentType('text/plain', 'docker'), 'text/plain')
  t.is(configType(types.octetStream, 'oci'), types.ociConfig)
  t.is(configType(types.dockerConfig, 'oci'), types.ociConfig)
  t.is(configType('application/vnd.wasm.config.v1+json', 'oci'), 'application/vnd.wasm.config.v1+json')
})
