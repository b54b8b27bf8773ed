import { dispatch, type Visit } from '../handlers/dispatch.ts'
import { pipe } from '../handlers/pipe.ts'
import { leafWhen } from '../handlers/skip.ts'
import type { Handler } from '../handlers/types.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isIndex } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'

/**
 * Calls `judge` for each part of an image that policies judge: not an index, but everything that indexes list and `handler`
 * leads to, whatever its media type. A root that is no index, or lists nothing, is judged itself.
 *
 * @see containers/image copy/single.go: an index is never asked for its own signatures
 */
export async function forEachJudged(
  handler: Handler,
  root: Descriptor,
  judge: Visit,
  options: AbortOptions = {},
): Promise<void> {
  let judged = 0
  const visit: Visit = async (desc, asked) => {
    if (isIndex(desc)) return
    judged++
    await judge(desc, asked)
  }
  await dispatch(
    pipe(
      handler,
      leafWhen(desc => !isIndex(desc)),
    ),
    visit,
    [root],
    { ...options, order: 'pre' },
  )
  if (judged === 0) await judge(root, options)
}

/** What to do when an index is signed, and what it lists is not. */
export const onlyIndexSigned =
  'policies want each manifest that is used signed: "cosign sign --recursive" and "skopeo copy --all --sign-by" do that'
