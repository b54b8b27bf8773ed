import { copyBlob } from '../../content/blob.ts'
import { parseDigest } from '../../oci/digest.ts'
import { isManifestOrIndex } from '../../oci/media-type.ts'
import { formatReference, parseReference } from '../../oci/reference.ts'
import type { Register } from '../register.ts'
import { addRegistryOptions, type RegistryOptions } from '../registry-options.ts'
import { withResolver } from '../remote.ts'

/** `orlop content push-object` */
export const registerPushObject: Register = (noun, context) => {
  const { out, signal, scope, options: global } = context
  const command = noun
    .command('push-object <remote> <digest> <type>')
    .description(
      'send one blob or manifest to a repository; a manifest also goes under the tag, if there is one',
    )
  addRegistryOptions(command).action(
    async (remote: string, object: string, mediaType: string, options: RegistryOptions) => {
      const digest = parseDigest(object)
      const place = parseReference(remote)
      const { content } = await scope()
      const { size } = await content.info(digest, { signal })
      const target = { mediaType, digest, size }
      const isNamed = isManifestOrIndex(target)
      const reference = formatReference(isNamed ? { ...place, digest } : place)
      await withResolver(reference, options, context, async resolver =>
        copyBlob(content, await resolver.pusher(reference, { signal }), target, { signal }),
      )
      if (global.json) out.json({ reference, target })
      else out.line(global.quiet ? digest : `Pushed ${digest} ${mediaType}`)
    },
  )
}
