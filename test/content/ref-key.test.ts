import test from 'ava'
import { refKey } from '../../src/content/ref-key.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'

const digest = digestOf('x')

const gives = test.macro({
  exec(t, mediaType: string, kind: string) {
    t.is(refKey({ mediaType, digest }), `${kind}-${digest}`)
  },
  title: (_, mediaType, kind) => `refKey() of ${mediaType || 'no media type'} starts with ${kind}`,
})

test(gives, mediaTypes.ociManifest, 'manifest')
test(gives, mediaTypes.dockerManifest, 'manifest')
test(gives, mediaTypes.ociIndex, 'index')
test(gives, mediaTypes.dockerManifestList, 'index')
test(gives, mediaTypes.ociLayerZstd, 'layer')
test(gives, mediaTypes.dockerForeignLayerGzip, 'layer')
test(gives, `${mediaTypes.ociLayerGzip}+encrypted`, 'layer')
test(gives, mediaTypes.ociConfig, 'config')
test(gives, mediaTypes.dockerConfig, 'config')
test(gives, mediaTypes.checkpointConfig, 'config')
test(gives, mediaTypes.inToto, 'attestation')
test(gives, mediaTypes.ociEmpty, 'unknown')
test(gives, '', 'unknown')

test('refKey() has the name that an annotation gives', t => {
  const annotations = { 'org.opencontainers.image.ref.name': 'v1' }
  t.is(refKey({ mediaType: mediaTypes.ociManifest, digest, annotations }), `manifest-v1@${digest}`)
})
