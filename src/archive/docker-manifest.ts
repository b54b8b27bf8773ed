import { isOrlopError } from '../errors.ts'
import { asArray, asObject, asString, lookalikes, optional, parseJson } from '../oci/json.ts'
import { familiarReference, parseReference } from '../oci/reference.ts'
import { goJson } from './go-json.ts'
import { layoutFiles } from './layout-files.ts'

/** One image in the `manifest.json` that `docker save` writes. Paths are those of the archive. */
export interface DockerImage {
  readonly config: string
  /** Names as Docker shows them, `busybox:latest`; none for an image that has none. */
  readonly repoTags: readonly string[]
  /** Lowest first. */
  readonly layers: readonly string[]
}

const refuseLookalikes = lookalikes(['Config', 'RepoTags', 'Layers'])

/**
 * The images of a `manifest.json`.
 *
 * @param what  names the archive in errors
 * @throws INVALID_ARGUMENT  not JSON, or a field of the wrong kind
 */
export function parseDockerManifest(bytes: Uint8Array, what: string): readonly DockerImage[] {
  const name = `${what}: ${layoutFiles.dockerManifest}`
  return asArray(parseJson(bytes, name), name, (value, at) => {
    const json = asObject(value, at)
    refuseLookalikes(json, at)
    const strings = (key: 'RepoTags' | 'Layers') =>
      optional(json[key], `${at}.${key}`, (list, where) => asArray(list, where, asString)) ?? []
    return Object.freeze({
      config: asString(json.Config, `${at}.Config`),
      repoTags: strings('RepoTags'),
      layers: strings('Layers'),
    })
  })
}

/** The bytes of a `manifest.json`, as containerd writes it. */
export const formatDockerManifest = (images: readonly DockerImage[]): Uint8Array =>
  Buffer.from(
    goJson(
      images.map(({ config, repoTags, layers }) => ({
        Config: config,
        RepoTags: orNull(repoTags),
        Layers: orNull(layers),
      })),
    ),
  )

const orNull = (texts: readonly string[]): readonly string[] | null => (texts.length > 0 ? texts : null)

/**
 * A name as `manifest.json` has it, `busybox:latest`; `undefined` for one that has no tag, or is no reference.
 *
 * containerd writes names by digest too, at which containers/image fails, and fails itself at others.
 */
export function repoTag(name: string): string | undefined {
  try {
    const reference = parseReference(name)
    return reference.tag !== undefined && reference.digest === undefined
      ? familiarReference(reference)
      : undefined
  } catch (error) {
    if (isOrlopError(error)) return undefined
    throw error
  }
}
