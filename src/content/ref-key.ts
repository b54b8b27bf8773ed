import { annotationKeys } from '../oci/annotations.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isAttestation, isIndex, isKnownConfig, isLayer, isManifest } from '../oci/media-type.ts'

/**
 * The ref under which a blob is ingested: `layer-sha256:…`, the same for all who fetch the same thing.
 *
 * @see containerd core/remotes/handlers.go, MakeRefKey
 */
export function refKey(desc: Pick<Descriptor, 'mediaType' | 'digest' | 'annotations'>): string {
  const { annotations = {} } = desc
  const name = Object.hasOwn(annotations, annotationKeys.refName)
    ? annotations[annotationKeys.refName]
    : undefined
  return `${kindOf(desc)}-${name === undefined ? desc.digest : `${name}@${desc.digest}`}`
}

const kindOf = (desc: Pick<Descriptor, 'mediaType'>): string => {
  if (isManifest(desc)) return 'manifest'
  if (isIndex(desc)) return 'index'
  if (isLayer(desc)) return 'layer'
  if (isKnownConfig(desc)) return 'config'
  return isAttestation(desc) ? 'attestation' : 'unknown'
}
