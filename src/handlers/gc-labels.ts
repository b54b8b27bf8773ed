import type { Labels } from '../content/types.ts'
import { annotationKeys, labelKeys } from '../oci/annotations.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { encodedOf } from '../oci/digest.ts'
import { isKnownConfig, isLayer, isManifest } from '../oci/media-type.ts'

/**
 * The labels that tie children to their parent for the collector, named as containerd names them.
 *
 * `….config` for a config, `….m.<i>` for manifests, `….l.<i>` for layers, `….<i>` for all else (indexes, opaque blobs);
 * each kind counts from 0, and a second config is `….config1`. A referrer is `….referrer.sha256.<12 hex of its digest>`,
 * so its key does not depend on the order in which referrers are listed. Duplicates get labels of their own.
 *
 * @param children  all children of the parent, before any platform is filtered out
 * @see containerd core/images/mediatypes.go, ChildGCLabels; core/images/handlers.go, SetChildrenMappedLabels
 */
export function childLabels(children: readonly Descriptor[]): Labels {
  const counts = new Map<string, number>()
  return Object.fromEntries(
    children.map(child => {
      if (isReferrer(child))
        return [`${prefix}referrer.sha256.${encodedOf(child.digest).slice(0, 12)}`, child.digest]
      const key = prefix + role(child)
      const at = counts.get(key) ?? 0
      counts.set(key, at + 1)
      return [at > 0 || key.endsWith('.') ? `${key}${at}` : key, child.digest]
    }),
  )
}

/**
 * As `childLabels`, without layers: they may be collected while manifests and configs stay.
 *
 * @see containerd core/images/mediatypes.go, ChildGCLabelsFilterLayers
 */
export const childLabelsWithoutLayers = (children: readonly Descriptor[]): Labels =>
  childLabels(children.filter(child => !isLayer(child)))

const prefix = `${labelKeys.gcRefContent}.`

const isReferrer = ({ annotations = {} }: Descriptor): boolean =>
  Object.hasOwn(annotations, annotationKeys.manifestSubject)

const role = (desc: Descriptor): string => {
  if (isKnownConfig(desc)) return 'config'
  if (isManifest(desc)) return 'm.'
  return isLayer(desc) ? 'l.' : ''
}
