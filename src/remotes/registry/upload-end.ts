import { OrlopError } from '../../errors.ts'
import type { Digest } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import { RegistryError } from './error.ts'
import type { HttpResponse } from './http.ts'
import { backOff, pause } from './retry.ts'
import { hasErrorCode, type UploadHabits } from './upload-habits.ts'
import type { UploadPlace, UploadSession } from './upload-session.ts'

/** What a blob's upload works with. */
export interface UploadParts {
  readonly place: UploadPlace
  readonly habits: UploadHabits
  readonly digest?: Digest | undefined
  /** Bytes that there will be. */
  readonly size?: number | undefined
  /** An upload that the registry has begun already. */
  readonly session?: UploadSession | undefined
  /** Whether the registry has the blob. */
  readonly exists: (digest: Digest, options: AbortOptions) => Promise<boolean>
}

/**
 * Makes sure that a blob is there after the request that ended its upload. A 202 only promises it, so it is asked for.
 *
 * @throws UNAVAILABLE  it has not come
 */
export async function confirmStored(
  { place: { endpoint, what }, exists }: UploadParts,
  { status, method, url }: Pick<HttpResponse, 'status' | 'method' | 'url'>,
  digest: Digest,
  options: AbortOptions,
): Promise<void> {
  if (status !== 202) return
  const { policy } = endpoint
  for (let tries = 1; !(await exists(digest, options)); tries++) {
    if (tries === policy.attempts) {
      const text = `${what}: the registry took all bytes (202), and does not have the blob`
      throw new RegistryError('UNAVAILABLE', text, { method, url, status })
    }
    await pause(backOff(tries, policy), policy, options)
  }
}

/** True when the registry says that the bytes are not those of the digest. */
export const isSpoiled = (error: RegistryError): boolean =>
  error.status === 400 && hasErrorCode(error, 'DIGEST_INVALID', 'SIZE_INVALID')

/** The refusal of wrong bytes, as writers tell it. */
export const spoiled = (error: RegistryError): OrlopError =>
  new OrlopError('FAILED_PRECONDITION', error.message, { cause: error })
