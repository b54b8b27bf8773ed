/**
 * Images: what a name points at, and what can be asked of it.
 *
 * An image is a record: a name, a target descriptor, labels. The functions here take any provider and a target, so they
 * answer for a local store, a registry or an archive alike, and read no more than they must: `size`, `manifest`, `config`,
 * `rootFS` and `platforms` read documents and never layers. `check` and `completeness` say what of an image is in a store;
 * with `deep` they hash every byte. All that choose among the entries of an index choose as `findManifest` does.
 *
 * Nothing here fetches or deletes, and a record's content may be absent in part or whole: that is a fact to ask for.
 */
export { chainId, chainIds } from './chain-id.ts'
export { type Availability, type CheckOptions, check, deepCheck } from './check.ts'
export { images } from './collectible.ts'
export { type Completeness, type Count, completeness, type EntryReport, type State } from './completeness.ts'
export { type CompressionTarget, checkCompression, compress } from './compress.ts'
export type { Change } from './convert/change.ts'
export type { Format } from './convert/layer-type.ts'
export { type Compression, decompress, sniffCompression, sniffLength } from './decompress.ts'
export { diffId, type Labeler } from './diff-id.ts'
export { Image } from './image.ts'
export { LabelledDiffIds } from './labelled-diff-ids.ts'
export { LayerSource, type PlainLayer } from './layer-source.ts'
export { config, configPlatform, type FoundManifest, findManifest, manifest, rootFS } from './manifest.ts'
export { criPinLabel, pinLabel, pinOf } from './pin.ts'
export { type PlatformsOptions, platforms } from './platforms.ts'
export type { Corrupt, Located, ProbeOptions } from './probe.ts'
export { type PutImage, putImage } from './put.ts'
export { size } from './size.ts'
export {
  type StorageBlob,
  StorageImage,
  type StorageImageParts,
  type StoredManifest,
} from './storage-image.ts'
export {
  emptyGzipDigest,
  emptyGzipLayer,
  type LayerInfo,
  layerInfos,
  plainLayerType,
} from './storage-layers.ts'
export { ImageRecords, type ImageRecordsOptions, imageRecords } from './store.ts'
export { storedReferrers } from './stored-referrers.ts'
export type * from './types.ts'
export { type UsageOptions, usage } from './usage.ts'
