import { OrlopError } from '../../errors.ts'
import type { Digest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import { hasStatus, RegistryError } from './error.ts'
import { startUpload, type UploadPlace, type UploadSession } from './upload-session.ts'

/** How an attempt to mount a blob ended. */
export type Mounted =
  | { readonly type: 'mounted'; readonly from: string }
  /** The registry has begun an upload instead, if it says so. */
  | { readonly type: 'refused'; readonly from: string; readonly session?: UploadSession | undefined }

/**
 * Asks a registry to take a blob over from another of its repositories, and not from us.
 *
 * Whatever speaks against it, that it may not be read there for one, is no error: the blob is sent then.
 *
 * @throws RegistryError  the registry cannot be reached, or is busy
 */
export async function mountBlob(
  place: UploadPlace,
  digest: Digest,
  from: string,
  { signal }: AbortOptions = {},
): Promise<Mounted> {
  try {
    const session = await startUpload(place, { mount: { digest, from }, signal })
    return session ? { type: 'refused', from, session } : { type: 'mounted', from }
  } catch (error) {
    if (!(error instanceof RegistryError) && !(error instanceof OrlopError)) throw error
    const { status = 0 } = error instanceof RegistryError ? error : {}
    if (status < 400 || status >= 500 || hasStatus(error, 408, 429)) throw error
    return { type: 'refused', from }
  }
}

/**
 * The repository to mount from: that which shares most of its path with `target`, for there the same account is most
 * likely to be let in; of equals the last.
 *
 * @see containerd core/remotes/docker/pusher.go, selectRepositoryMountCandidate
 */
export function mountCandidate(target: string, repositories: readonly string[]): string | undefined {
  let best: { readonly name: string; readonly shared: number } | undefined
  for (const name of repositories) {
    if (name === target) continue
    const shared = sharedParts(target, name)
    if (!best || shared >= best.shared) best = { name, shared }
  }
  return best?.name
}

const sharedParts = (a: string, b: string): number => {
  const [left, right] = [a.split('/'), b.split('/')]
  const differs = left.findIndex((part, at) => part !== right[at])
  return differs < 0 ? left.length : differs
}
