import test from 'ava'
import {
  isAttestation,
  isConfig,
  isDockerType,
  isIndex,
  isKnownConfig,
  isLayer,
  isManifest,
  isNonDistributable,
  isSchema1,
  type LayerCompression,
  layerCompression,
  mediaTypes,
} from '../../src/oci/media-type.ts'

const predicates = {
  isAttestation,
  isConfig,
  isDockerType,
  isIndex,
  isKnownConfig,
  isLayer,
  isManifest,
  isNonDistributable,
  isSchema1,
}
type Name = keyof typeof predicates

const is = test.macro<[mediaType: string, names: string]>({
  exec(t, mediaType, names) {
    const held = Object.entries(predicates).flatMap(([name, holds]) =>
      holds({ mediaType }) ? [name satisfies string] : [],
    )
    t.is(held.sort().join(' '), names)
  },
  title: (_, mediaType, names) => `${mediaType || 'no media type'}: ${names || 'none of the kinds'}`,
})

const names = (...list: readonly Name[]): string => [...list].sort().join(' ')
const type = mediaTypes

test(is, type.ociManifest, names('isManifest'))
test(is, type.dockerManifest, names('isManifest', 'isDockerType'))
test(is, type.ociIndex, names('isIndex'))
test(is, type.dockerManifestList, names('isIndex', 'isDockerType'))
test(is, type.ociConfig, names('isConfig', 'isKnownConfig'))
test(is, type.dockerConfig, names('isConfig', 'isKnownConfig', 'isDockerType'))
test(is, type.checkpointConfig, names('isKnownConfig'))
test(is, type.checkpointOptions, names('isKnownConfig'))
test(is, type.checkpoint, '')
test(is, type.dockerSchema1, names('isSchema1', 'isDockerType'))
test(is, type.dockerSchema1Signed, names('isSchema1', 'isDockerType'))
test(is, type.inToto, names('isAttestation'))
test(is, type.ociEmpty, '')
test(is, type.octetStream, '')
test(is, '', '')
test(is, 'text/plain', '')
test(is, `${type.ociManifest}; charset=utf-8`, '')
test(is, type.ociManifest.toUpperCase(), '')
test(is, `${type.ociManifest}+gzip`, '')
for (const layer of [
  type.ociLayer,
  type.ociLayerGzip,
  type.ociLayerZstd,
  `${type.ociLayer}+encrypted`,
  `${type.ociLayerGzip}+encrypted`,
  'application/vnd.oci.image.layer.v9.odd',
  type.erofsLayer,
  `${type.erofsLayer}+zstd`,
])
  test(is, layer, names('isLayer'))
for (const layer of [
  type.dockerLayer,
  type.dockerLayerGzip,
  type.dockerLayerZstd,
  `${type.dockerLayerGzip}+encrypted`,
])
  test(is, layer, names('isLayer', 'isDockerType'))
for (const layer of [type.dockerForeignLayer, type.dockerForeignLayerGzip])
  test(is, layer, names('isLayer', 'isDockerType', 'isNonDistributable'))
for (const layer of [
  type.ociNondistributableLayer,
  type.ociNondistributableLayerGzip,
  type.ociNondistributableLayerZstd,
])
  test(is, layer, names('isLayer', 'isNonDistributable'))

const compresses = test.macro<[mediaType: string, expected: LayerCompression]>({
  exec(t, mediaType, expected) {
    t.is(layerCompression(mediaType), expected)
  },
  title: (_, mediaType, expected) => `layerCompression() of ${mediaType} is ${JSON.stringify(expected)}`,
})

test(compresses, type.ociLayer, '')
test(compresses, type.ociLayerGzip, 'gzip')
test(compresses, type.ociLayerZstd, 'zstd')
test(compresses, `${type.ociLayer}+encrypted`, '')
test(compresses, `${type.ociLayerGzip}+encrypted`, 'gzip')
test(compresses, `${type.ociLayer}+encrypted+zstd`, 'zstd')
test(compresses, `${type.ociLayer}+xz`, '')
test(compresses, type.ociNondistributableLayerGzip, 'gzip')
test(compresses, type.dockerLayer, 'unknown')
test(compresses, type.dockerForeignLayer, 'unknown')
test(compresses, type.dockerLayerGzip, 'gzip')
test(compresses, type.dockerForeignLayerGzip, 'gzip')
test(compresses, type.dockerLayerZstd, 'zstd')
test(compresses, `${type.dockerLayerGzip}+encrypted`, '')
test(compresses, `${type.dockerLayer}+gzip`, '')
test(compresses, `${type.dockerLayerZstd}+x`, '')
test(compresses, type.erofsLayer, '')

for (const mediaType of [
  type.ociManifest,
  type.ociConfig,
  type.octetStream,
  '',
  'application/vnd.oci.image.layer',
])
  test(`layerCompression() refuses ${JSON.stringify(mediaType)}`, t => {
    t.throws(() => layerCompression(mediaType), { code: 'UNIMPLEMENTED' })
  })
