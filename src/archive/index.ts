/**
 * Archives: tars of images, read and written as streams.
 *
 * `importArchive` puts the blobs of an archive (an OCI layout, or what `docker save` writes) into a content store, and
 * `exportArchive` makes an archive of images; the runtime's `load` and `save` do it with names. `readTar` gives the entries
 * of any tar front to back, a layer's too; `writeTar` writes one, the same bytes for the same entries. `decompressed` tells
 * gzip and zstd by their first bytes.
 *
 * Nothing here unpacks to disk, and no name out of an archive becomes a path on it. An archive is not to be trusted: every
 * size, name and number is checked, what is held in memory is bounded, and what can be read in two ways is refused.
 */
export { type BombLimits, type Decompressed, type DecompressedOptions, decompressed } from './compression.ts'
export { entryPath, linkTarget } from './entry-path.ts'
export { type ArchiveExport, type ExportArchiveOptions, exportArchive } from './export.ts'
export type { ExportChoice, ExportImage, NamedPlatform, Since } from './export-plan.ts'
export { FileSource } from './file-source.ts'
export { imageNames, type Naming } from './image-names.ts'
export { type ImportArchiveOptions, type ImportedArchive, importArchive } from './import.ts'
export { layoutFiles, partialAnnotation } from './layout-files.ts'
export { layoutName } from './ref-name.ts'
export { sinceArchive, sinceImage } from './since.ts'
export { type ReadTarOptions, readTar } from './tar.ts'
export { decodeText, encodeText } from './tar-text.ts'
export { type NewTarEntry, type TarPart, tarHeader, writeTar } from './tar-writer.ts'
export type * from './types.ts'
export { writeWholeFile } from './write-file.ts'
