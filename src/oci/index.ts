/**
 * The words of the OCI specifications: what every other part speaks in.
 *
 * A **digest** names bytes, a **descriptor** says what and where they are, a **media type** what they mean. An **index**
 * lists manifests, a **manifest** a config and layers, an **image config** its platform and the digests of the layers
 * once unpacked. A **platform** is what an image runs on, a **matcher** which platforms are wanted, best first. A
 * **reference** is an image's name: as people type it, or, as a `Spec`, as containerd stores it.
 *
 * All are parsed once, where they come in, into frozen values; what is wrong is INVALID_ARGUMENT and says where and why.
 * Nothing here does I/O but `hostPlatform`, which asks the machine what it is.
 */
export { annotationKeys, labelKeys } from './annotations.ts'
export { compatiblePlatforms } from './compatibility.ts'
export {
  type Annotations,
  type Descriptor,
  descriptorOf,
  descriptorToJson,
  embeddedData,
  readDescriptor,
  sameTarget,
} from './descriptor.ts'
export {
  type Algorithm,
  algorithmOf,
  type Digest,
  Digester,
  digestOf,
  encodedOf,
  isDigest,
  parseDigest,
} from './digest.ts'
export {
  type Index,
  kindOfDocument,
  type Manifest,
  maxManifestSize,
  parseIndex,
  parseManifest,
} from './document.ts'
export { type HistoryEntry, type ImageConfig, maxConfigSize, parseImageConfig } from './image-config.ts'
export {
  anyOf,
  anyPlatform,
  hostMatcher,
  type Matcher,
  only,
  onlyOS,
  onlyStrict,
  ordered,
  platformMatcher,
} from './matcher.ts'
export {
  isAttestation,
  isConfig,
  isDockerType,
  isIndex,
  isKnownConfig,
  isLayer,
  isManifest,
  isManifestOrIndex,
  isNonDistributable,
  isSchema1,
  type LayerCompression,
  layerCompression,
  mediaTypes,
} from './media-type.ts'
export { fromCid, fromMultihash, toCid, toMultihash } from './multihash.ts'
export {
  formatPlatform,
  formatPlatformAll,
  type HostFacts,
  hostPlatform,
  normalizePlatform,
  type Platform,
  parsePlatform,
  platformToJson,
} from './platform.ts'
export {
  familiarName,
  familiarReference,
  formatReference,
  fullReference,
  isTag,
  parseDomain,
  parseReference,
  parseSpec,
  type Reference,
  repositoryName,
  type Spec,
  specToString,
  withDefaultTag,
  withDigest,
  withTag,
} from './reference.ts'
