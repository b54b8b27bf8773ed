import type { Digest } from '../oci/digest.ts'
import type { CommitOptions, Status } from './types.ts'

/** Bytes up to which a write may be held in memory until it is known what becomes of it. */
export const smallSize = 64 * 1024

/**
 * A store that takes at once what somebody else has gathered in memory, so that a small blob need not be an ingest on the
 * way.
 */
export interface BytesTaker {
  /**
   * Makes bytes a blob: visible and durable when it resolves. It has the date that the file system gives it.
   *
   * @throws ALREADY_EXISTS  the blob is there
   * @throws FAILED_PRECONDITION  they are not those of `digest`
   */
  takeBytes(
    bytes: Uint8Array,
    digest: Digest,
    options?: Pick<CommitOptions, 'labels' | 'signal'>,
  ): Promise<void>
  /**
   * Makes bytes an ingest as its status tells of it; `writer` goes on there.
   *
   * @throws UNAVAILABLE  a writer holds the ref
   */
  takeIngest(bytes: Uint8Array, status: Status): Promise<void>
}

/** True for a store that can take bytes over. */
export const isBytesTaker = (to: object): to is BytesTaker => 'takeBytes' in to && 'takeIngest' in to
