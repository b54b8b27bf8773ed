import path from 'node:path'
import { OrlopError } from '../errors.ts'
import { type Algorithm, algorithmOf, type Digest, digestOf, encodedOf, isDigest } from '../oci/digest.ts'

/**
 * Every path of a content directory, in one place. It is containerd's own layout, so either program reads the other's:
 *
 * - `blobs/<algorithm>/<hex>`: a committed blob, read-only
 * - `ingest/<sha256 of the ref>/`: `ref`, `data`, `startedat`, `updatedat`, `total`
 *
 * @see containerd plugins/content/local/store.go
 */
export class FsLayout {
  /** Absolute path of the content directory. */
  readonly root: string
  readonly blobs: string
  readonly ingests: string

  constructor(root: string) {
    this.root = path.resolve(root)
    this.blobs = path.join(this.root, 'blobs')
    this.ingests = path.join(this.root, 'ingest')
  }

  /** The directory of all blobs of one algorithm. */
  algorithm(algorithm: Algorithm): string {
    return path.join(this.blobs, algorithm)
  }

  /**
   * The file of a blob.
   *
   * @throws INVALID_ARGUMENT  not a digest: text that came around the types must not become a path
   */
  blob(digest: Digest): string {
    if (!isDigest(digest)) {
      throw new OrlopError('INVALID_ARGUMENT', `digest ${JSON.stringify(digest)}: not <algorithm>:<hex>`)
    }
    return path.join(this.algorithm(algorithmOf(digest)), encodedOf(digest))
  }

  /** The directory of an ingest. Any text can be a ref, for only its hash is part of the path. */
  ingest(ref: string): string {
    return path.join(this.ingests, encodedOf(digestOf(ref)))
  }
}

/** The files of one ingest's directory. */
export const ingestFiles = (dir: string) => ({
  ref: path.join(dir, 'ref'),
  data: path.join(dir, 'data'),
  startedAt: path.join(dir, 'startedat'),
  updatedAt: path.join(dir, 'updatedat'),
  total: path.join(dir, 'total'),
})
