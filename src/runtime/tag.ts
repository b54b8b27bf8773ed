import { isAlreadyExists } from '../errors.ts'
import type { ImageRecord, ImageStore } from '../images/types.ts'
import type { AbortOptions } from '../options.ts'

/** Options of `tag`. */
export interface TagOptions extends AbortOptions {
  /** True: a name that is taken is pointed at the source instead; its labels become the source's. */
  readonly force?: boolean | undefined
}

/**
 * Gives an image another name. Labels are copied, as `ctr images tag --local` copies them.
 *
 * @throws NOT_FOUND  no image `source`
 * @throws ALREADY_EXISTS  there is an image of the new name, and not `force`
 */
export async function tag(
  images: ImageStore,
  source: ImageRecord,
  name: string,
  { force = false, signal }: TagOptions = {},
): Promise<ImageRecord> {
  const { target, labels } = source
  try {
    return await images.create({ name, target, labels }, { signal })
  } catch (error) {
    if (!force || !isAlreadyExists(error)) throw error
    // One update and not delete and create, as in ctr: there is no moment without the name.
    return images.update(name, { target, labels, replaceLabels: true }, { signal })
  }
}
