import type { ImageRecord } from './types.ts'

/** The label of an image that no prune may delete; any value counts. `orlop images pin` sets it. */
export const pinLabel = 'orlop.io/pinned'

/** The label that containerd's CRI plugin pins images with; only the value `pinned` counts. */
export const criPinLabel = 'io.cri-containerd.pinned'

/**
 * The label that pins an image, or `undefined` when it is not pinned.
 *
 * Collections know nothing of pins: an image is a root anyway, until it is deleted.
 */
export function pinOf({ labels }: Pick<ImageRecord, 'labels'>): string | undefined {
  if (Object.hasOwn(labels, pinLabel)) return pinLabel
  return Object.hasOwn(labels, criPinLabel) && labels[criPinLabel] === 'pinned' ? criPinLabel : undefined
}
