import type { Provider } from '../content/types.ts'
import { readConfig } from '../handlers/children.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/document.ts'
import { findManifest } from './select.ts'
import type { PlatformOptions } from './types.ts'

export { configPlatform, type FoundManifest, findManifest } from './select.ts'

/**
 * The manifest of an image for one platform. See `findManifest` for which, and where it differs from containerd.
 *
 * @throws NOT_FOUND  no manifest matches `options.platform`, or `provider` lacks one
 * @throws DATA_LOSS  the bytes of an index, manifest or config are not what their digest says
 */
export const manifest = async (
  provider: Provider,
  target: Descriptor,
  options: PlatformOptions = {},
): Promise<Manifest> => (await findManifest(provider, target, options)).manifest

/** The descriptor of the config of an image for one platform; the config itself is not read. Throws as `manifest`. */
export const config = async (
  provider: Provider,
  target: Descriptor,
  options: PlatformOptions = {},
): Promise<Descriptor> => (await manifest(provider, target, options)).config

/**
 * Digests of the uncompressed layers of an image for one platform, lowest first; none for an artifact.
 *
 * @throws as `manifest`, for the config too
 * @see containerd core/images/image.go, RootFS
 */
export const rootFS = async (
  provider: Provider,
  target: Descriptor,
  options: PlatformOptions = {},
): Promise<readonly Digest[]> =>
  (await readConfig(provider, await config(provider, target, options), options)).diffIds
