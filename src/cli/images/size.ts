import type { Provider } from '../../content/types.ts'
import { platforms } from '../../images/platforms.ts'
import { size } from '../../images/size.ts'
import { usage } from '../../images/usage.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { anyPlatform, onlyStrict } from '../../oci/matcher.ts'
import { isIndex } from '../../oci/media-type.ts'
import { formatPlatformAll } from '../../oci/platform.ts'
import type { Wanted } from '../../runtime/select.ts'
import { collect, wantedPlatforms } from '../arguments.ts'
import type { Context } from '../context.ts'
import { lookupImage } from '../lookup.ts'
import { formatBytes } from '../output.ts'
import type { Register } from '../register.ts'
import { addRegistryOptions, type RegistryOptions } from '../registry-options.ts'
import { withRemote } from '../remote.ts'

interface SizeOptions extends RegistryOptions {
  readonly platform?: readonly string[]
  readonly allPlatforms?: boolean
  readonly remote?: boolean
}

/** `orlop images size` */
export const registerSize: Register = (noun, context) => {
  const command = noun
    .command('size <image>')
    .description('bytes that one platform of an image needs: indexes, manifest, config and layers')
    .option('--platform <os/arch>', 'platform to size, the host’s by default; may be repeated', collect)
    .option('--all-platforms', 'size each platform that the image offers')
    .option('--remote', 'ask the registry, and pull nothing')
  addRegistryOptions(command).action(async (name: string, options: SizeOptions) => {
    const named = options.allPlatforms ? undefined : wantedPlatforms(options.platform)
    const show = async (provider: Provider, target: Descriptor, known: string): Promise<void> => {
      const sizes: Sized[] = []
      // A manifest by itself is what it is, whatever was asked for.
      const wanted = (isIndex(target) && named) || (await offered(provider, target, context))
      for (const { matcher, text } of wanted) {
        const bytes = await size(provider, target, { platform: matcher, signal: context.signal })
        sizes.push({ platform: text, bytes })
      }
      print(context, known, sizes)
    }
    if (options.remote) return withRemote(name, options, context, show)
    const { images, disk } = await context.scope()
    const record = await lookupImage(images, name, context)
    await show(disk, record.target, record.name)
    if (context.options.json || context.options.quiet) return
    const here = await usage(disk, record.target, { platform: anyPlatform, signal: context.signal })
    context.out.note(`${formatBytes(here)} of it, all platforms together, are here`)
  })
}

interface Sized {
  readonly platform: string
  readonly bytes: number
}

/** Each platform of an image, once, in its own order; `-` for one that has none, as artifacts, or whose config is absent. */
async function offered(
  provider: Provider,
  target: Descriptor,
  { signal }: Pick<Context, 'signal'>,
): Promise<readonly Wanted[]> {
  const found = new Map<string, Wanted>()
  const onMissing = isIndex(target) ? 'error' : 'skip'
  for await (const platform of platforms(provider, target, { onMissing, signal })) {
    const text = formatPlatformAll(platform)
    found.set(text, { matcher: onlyStrict(platform), text })
  }
  return found.size === 0 ? [{ matcher: anyPlatform, text: '-' }] : [...found.values()]
}

function print({ out, options }: Context, name: string, sizes: readonly Sized[]): void {
  if (options.json) out.json({ name, sizes })
  else if (options.quiet) for (const { bytes } of sizes) out.line(String(bytes))
  else {
    out.table(
      ['PLATFORM', 'BYTES', 'SIZE'],
      sizes.map(({ platform, bytes }) => [platform, String(bytes), formatBytes(bytes)]),
    )
  }
}
