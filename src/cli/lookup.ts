import type { ImageRecord, ImageStore } from '../images/types.ts'
import type { AbortOptions } from '../options.ts'
import { lookup } from '../runtime/lookup.ts'
import { namesHere } from './names.ts'

/** The image that a user means, by what registries.conf and Docker make of a short name. Throws as `lookup`. */
export const lookupImage = (
  images: Pick<ImageStore, 'get' | 'list'>,
  name: string,
  { signal }: AbortOptions,
): Promise<ImageRecord> => lookup(images, name, { names: namesHere, signal })
