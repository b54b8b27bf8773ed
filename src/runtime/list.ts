import { cached } from '../content/cache.ts'
import type { InfoProvider, Provider } from '../content/types.ts'
import { isOrlopError } from '../errors.ts'
import { platforms } from '../images/platforms.ts'
import { size } from '../images/size.ts'
import type { ImageRecord } from '../images/types.ts'
import type { Digest } from '../oci/digest.ts'
import { hostMatcher, type Matcher, only } from '../oci/matcher.ts'
import { formatPlatformAll } from '../oci/platform.ts'
import type { AbortOptions } from '../options.ts'

/** An image with what a list shows of it. */
export interface Listed {
  readonly image: ImageRecord
  /** Bytes of the host's platform, else of the first that can be read here; absent when none can. */
  readonly size?: number
  /** As text, sorted, each once; those that can be known from what is here. */
  readonly platforms: readonly string[]
  /** Why size or platforms are not known. */
  readonly problem?: string
}

type Facts = Omit<Listed, 'image'>

/** Facts that are asked for, and once they are here, without a promise around them. */
interface Found {
  readonly coming: Promise<Facts>
  readonly here?: Facts
}

/** Options of `describe`. */
export interface DescribeOptions extends AbortOptions {
  /** Default: the host's. */
  readonly platform?: Matcher | undefined
}

/** Images that are looked at while earlier ones are waited for. */
const ahead = 16

/**
 * `describe` for many images, in their order: several at a time, one target of many names once, and each document once.
 */
export async function* describeAll(
  content: Provider & InfoProvider,
  images: AsyncIterable<ImageRecord>,
  options: DescribeOptions = {},
): AsyncGenerator<Listed> {
  const documents = cached(content)
  const source = {
    read: documents.read,
    info: (digest: Digest, abort?: AbortOptions) => content.info(digest, abort),
  }
  const known = new Map<string, Found>()
  const factsOf = (image: ImageRecord): Found => {
    // Everything that stands in a target decides what its facts are, its platform too.
    const key = JSON.stringify(image.target)
    const before = known.get(key)
    if (before !== undefined) return before
    const found: Found = { coming: facts(source, image, options) }
    known.set(key, found)
    // Whoever stops early leaves some behind that nobody waits for.
    found.coming.then(
      here => Object.assign(found, { here }),
      () => undefined,
    )
    return found
  }
  const waiting: { readonly image: ImageRecord; readonly found: Found }[] = []
  for await (const image of images) {
    waiting.push({ image, found: factsOf(image) })
    if (waiting.length < ahead) continue
    const first = waiting.shift()
    if (first) yield { image: first.image, ...(first.found.here ?? (await first.found.coming)) }
  }
  for (const { image, found } of waiting) yield { image, ...(found.here ?? (await found.coming)) }
}

/**
 * What a list shows of an image. A manifest that is absent or corrupt is no error here: the rest of the list matters more.
 */
export async function describe(
  content: Provider & InfoProvider,
  image: ImageRecord,
  options: DescribeOptions = {},
): Promise<Listed> {
  return { image, ...(await facts(content, image, options)) }
}

async function facts(
  content: Provider & InfoProvider,
  image: ImageRecord,
  { platform = hostMatcher(), signal }: DescribeOptions,
): Promise<Facts> {
  let problem: string | undefined
  const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      signal?.throwIfAborted()
      if (!isOrlopError(error)) throw error
      problem ??= error.message
      return undefined
    }
  }
  const texts = new Set<string>()
  await attempt(async () => {
    for await (const found of platforms(content, image.target, { onMissing: 'skip', signal })) {
      texts.add(formatPlatformAll(found))
    }
  })
  const bytes = await attempt(() => sizeOf(content, image, platform, { signal }))
  return {
    platforms: [...texts].sort(),
    ...(bytes !== undefined && { size: bytes }),
    ...(problem !== undefined && { problem }),
  }
}

async function sizeOf(
  content: Provider,
  { target }: ImageRecord,
  platform: Matcher,
  { signal }: AbortOptions,
): Promise<number> {
  try {
    return await size(content, target, { platform, signal })
  } catch (error) {
    if (!isOrlopError(error)) throw error
    return await firstSize(content, target, error, { signal })
  }
}

/** Of the platforms, in the image's order, the first whose manifest is here. */
async function firstSize(
  content: Provider,
  target: ImageRecord['target'],
  first: unknown,
  { signal }: AbortOptions,
): Promise<number> {
  for await (const platform of platforms(content, target, { onMissing: 'skip', signal })) {
    try {
      return await size(content, target, { platform: only(platform), signal })
    } catch (error) {
      if (!isOrlopError(error)) throw error
    }
  }
  throw first
}
