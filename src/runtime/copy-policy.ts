import { readBlob } from '../content/blob.ts'
import type { Provider } from '../content/types.ts'
import { children } from '../handlers/children.ts'
import { pipe } from '../handlers/pipe.ts'
import type { AbortOptions } from '../options.ts'
import type { Policy } from '../policy/types.ts'
import type { Source } from '../transports/types.ts'
import { admitEach } from './admission.ts'
import type { Selected } from './copy-selection.ts'

/**
 * Throws unless a policy accepts what is copied. An image of the store has been judged when it came there, and is not again.
 *
 * @throws PERMISSION_DENIED  it does not; the text says by which requirement
 */
export async function admitSource(
  policy: Policy | undefined,
  source: Source,
  blobs: Provider,
  { root, select = next => next }: Selected,
  options: AbortOptions,
): Promise<void> {
  const { identity } = source
  if (policy === undefined || identity === undefined) return
  await admitEach(
    policy,
    desc => ({
      ...identity,
      digest: desc.digest,
      manifest: asked => readBlob(blobs, desc, asked),
      signatures: async asked => (await source.signatures?.(desc.digest, asked)) ?? [],
    }),
    root,
    pipe(children(blobs), select),
    options,
  )
}
