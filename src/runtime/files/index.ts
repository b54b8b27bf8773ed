/**
 * Looks into images without unpacking them: `imageFiles` lists, `imageFile` reads one file, `diffImages` compares two.
 *
 * They take any provider, so they answer for a store, a store behind a socket, or a registry. Layers are read as streams,
 * verified on the way; nothing is written, and of what is read paths are held and no bytes.
 */
export {
  type DiffImagesOptions,
  diffImages,
  type FileAspect,
  type FileDifference,
  type ImageDiff,
  type ImageSide,
} from './diff.ts'
export type { ConfigDifference } from './diff-config.ts'
export { type ImageFileOptions, imageFile, type OpenFile } from './find.ts'
export { imageFiles, layerFiles, type SortedFilesOptions, sortedImageFiles } from './list.ts'
export type * from './types.ts'
