import { readBlob } from '../../content/blob.ts'
import type { Provider } from '../../content/types.ts'
import { findManifest } from '../../images/select.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { parseJson } from '../../oci/json.ts'
import { wantedPlatforms } from '../arguments.ts'
import type { Register } from '../register.ts'
import { addRegistryOptions, type RegistryOptions } from '../registry-options.ts'
import { withRemote } from '../remote.ts'

interface ManifestOptions extends RegistryOptions {
  readonly platform?: string
}

/** `orlop registry manifest` */
export const registerManifest: Register = (noun, context) => {
  const { out, signal, options: global } = context
  const command = noun
    .command('manifest <reference>')
    .description('write the manifest or index of an image to stdout, byte for byte; with -q only its digest')
    .option('--platform <os/arch>', 'of an index, the manifest for this platform')
  addRegistryOptions(command).action(async (text: string, { platform, ...options }: ManifestOptions) => {
    const select = async (provider: Provider, target: Descriptor): Promise<Descriptor> => {
      if (platform === undefined) return target
      const [wanted] = wantedPlatforms([platform])
      return (await findManifest(provider, target, { platform: wanted?.matcher, signal })).descriptor
    }
    await withRemote(text, options, context, async (provider, root, name) => {
      const target = await select(provider, root)
      if (global.quiet && !global.json) return out.line(target.digest)
      const bytes = await readBlob(provider, target, { signal })
      if (global.json) out.json({ name, target, manifest: parseJson(bytes, name) })
      else await out.bytes(bytes)
    })
  })
}
