import type { Provider } from '../content/types.ts'
import { isNotFound } from '../errors.ts'
import { children } from '../handlers/children.ts'
import { pipe } from '../handlers/pipe.ts'
import { skipMissing } from '../handlers/skip.ts'
import { walk } from '../handlers/walk.ts'
import { entriesOnce, findManifest } from '../images/select.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, Digester } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { decompressed } from './compression.ts'
import { entryPath } from './entry-path.ts'
import type { Since } from './export-plan.ts'
import { digestOfPath } from './layout-files.ts'
import type { PlatformWish } from './select-parts.ts'
import { readTar } from './tar.ts'
import type { ByteSource } from './types.ts'

/**
 * What who has imported an archive has: its blobs by their names, and of what `docker save` wrote the layers by their bytes.
 *
 * @param what  names the archive
 * @throws as `readTar` and `decompressed`
 */
export async function sinceArchive(
  source: ByteSource,
  what: string,
  { signal }: AbortOptions = {},
): Promise<Since> {
  const digests = new Set<Digest>()
  const { bytes } = await decompressed(source, { what, signal })
  for await (const entry of readTar(bytes, { what, signal })) {
    if (entry.type !== 'file') continue
    const path = entryPath(entry.name, what)
    const digest = digestOfPath(path)
    if (digest !== undefined) digests.add(digest)
    else if (path.includes('.tar')) digests.add(await digestOfBody(entry.body()))
  }
  return since(digests, what)
}

/**
 * What who has an image has, all of it or for some platforms; only its documents are read.
 *
 * @param what  names the image
 */
export async function sinceImage(
  provider: Provider,
  target: Descriptor,
  what: string,
  { platforms, signal }: AbortOptions & { readonly platforms?: readonly PlatformWish[] | undefined } = {},
): Promise<Since> {
  const digests = new Set<Digest>()
  if (platforms === undefined) {
    const handler = pipe(children(provider), skipMissing)
    for await (const { digest } of walk(handler, [target], { ...entriesOnce(), signal })) digests.add(digest)
  }
  for (const { matcher } of platforms ?? []) {
    try {
      const { manifest } = await findManifest(provider, target, { platform: matcher, signal })
      for (const { digest } of [manifest.config, ...manifest.layers]) digests.add(digest)
    } catch (error) {
      // A platform that it does not have, or whose manifest is not here: nothing of it is known to be there.
      if (!isNotFound(error)) throw error
    }
  }
  return since(digests, what)
}

const since = (digests: ReadonlySet<Digest>, what: string): Since => ({
  what,
  has: ({ digest }) => digests.has(digest),
})

async function digestOfBody(body: AsyncIterable<Uint8Array>): Promise<Digest> {
  const digester = new Digester()
  for await (const chunk of body) digester.update(chunk)
  return digester.digest()
}
