import { isNotFound, isOrlopError, OrlopError } from '../errors.ts'
import type { ImageRecord, ImageStore } from '../images/types.ts'
import { fullReference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'

/**
 * The image that a user means: the exact name, else what Docker would take it for (`busybox` for
 * `docker.io/library/busybox:latest`).
 *
 * @throws NOT_FOUND  neither is there
 */
export async function lookup(
  images: Pick<ImageStore, 'get'>,
  name: string,
  options: AbortOptions = {},
): Promise<ImageRecord> {
  try {
    return await images.get(name, options)
  } catch (error) {
    const full = isNotFound(error) ? normalName(name) : undefined
    if (full === undefined || full === name) throw error
    return await images.get(full, options).catch((second: unknown) => {
      if (!isNotFound(second)) throw second
      throw new OrlopError(
        'NOT_FOUND',
        `image ${name}: not found, nor ${full}; "orlop images list" shows what is here`,
        {
          cause: second,
        },
      )
    })
  }
}

/** A name in Docker's normal form, with the default tag; `undefined` for what is no reference. */
export function normalName(name: string): string | undefined {
  try {
    return fullReference(name)
  } catch (error) {
    if (isOrlopError(error)) return undefined
    throw error
  }
}
