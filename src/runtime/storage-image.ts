import { LabelledDiffIds } from '../images/labelled-diff-ids.ts'
import { StorageImage } from '../images/storage-image.ts'
import type { ImageRecord, PlatformOptions } from '../images/types.ts'
import type { DiffIdIndex } from '../metadata/diff-ids.ts'
import type { Scope } from './runtime.ts'

/** Finds the layers of a scope by what they are without compression: by its records, else by checked labels. */
export const diffIdsOf = ({ diffIds, content }: Pick<Scope, 'diffIds' | 'content'>): DiffIdIndex =>
  diffIds ?? new LabelledDiffIds(content)

/**
 * An image of the store as containers/image sees it: layers by diff id, without compression.
 *
 * @throws NOT_FOUND  no manifest for the platform, or not here
 */
export const storageImage = (
  scope: Scope,
  { target }: Pick<ImageRecord, 'target'>,
  options: PlatformOptions = {},
): Promise<StorageImage> =>
  StorageImage.open({ store: scope.content, index: diffIdsOf(scope) }, target, options)
