import type { Provider } from '../../content/types.ts'
import { platforms } from '../../images/platforms.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { formatPlatformAll, platformToJson } from '../../oci/platform.ts'
import { lookupImage } from '../lookup.ts'
import type { Register } from '../register.ts'
import { addRegistryOptions, type RegistryOptions } from '../registry-options.ts'
import { withRemote } from '../remote.ts'

interface PlatformsCommandOptions extends RegistryOptions {
  readonly remote?: boolean
}

/** `orlop images platforms` */
export const registerPlatforms: Register = (noun, context) => {
  const { out, signal, options: global } = context
  const command = noun
    .command('platforms <image>')
    .description('list the platforms that an image offers')
    .option('--remote', 'ask the registry, and pull nothing')
  addRegistryOptions(command).action(async (name: string, options: PlatformsCommandOptions) => {
    const show = async (provider: Provider, target: Descriptor): Promise<void> => {
      const found = new Map<string, unknown>()
      for await (const platform of platforms(provider, target, { onMissing: 'skip', signal })) {
        found.set(formatPlatformAll(platform), platformToJson(platform))
      }
      if (global.json) out.json([...found.values()])
      else for (const text of found.keys()) out.line(text)
    }
    if (options.remote) return withRemote(name, options, context, show)
    const { images, content } = await context.scope()
    const record = await lookupImage(images, name, { signal })
    await show(content, record.target)
  })
}
