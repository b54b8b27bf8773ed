import { isAlreadyExists, isNotFound } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { AbortOptions } from '../options.ts'
import type { ImageRecord, ImageStore, NewImage } from './types.ts'

/** An image under its name, and what the name meant before. */
export interface PutImage {
  readonly image: ImageRecord
  /** What was there before under that name, when it pointed elsewhere. */
  readonly replaced?: Descriptor
}

/** Options of `putImage`. */
export interface PutImageOptions extends AbortOptions {
  /** True: labels that the image had before go. */
  readonly replaceLabels?: boolean | undefined
}

/** Makes an image, or points the one of that name at `target`; its labels are merged into those it has. */
export async function putImage(
  images: Pick<ImageStore, 'get' | 'create' | 'update'>,
  { name, target, labels = {} }: NewImage,
  { replaceLabels, ...options }: PutImageOptions = {},
): Promise<PutImage> {
  for (;;) {
    try {
      return { image: await images.create({ name, target, labels }, options) }
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
    try {
      const before = await images.get(name, options)
      const image = await images.update(name, { target, labels, replaceLabels }, options)
      return before.target.digest === target.digest ? { image } : { image, replaced: before.target }
    } catch (error) {
      // Somebody deleted it in between.
      if (!isNotFound(error)) throw error
    }
  }
}
