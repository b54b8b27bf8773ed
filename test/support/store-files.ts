import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'

/** An unfinished write, as it lies on the disk. */
export interface IngestFile {
  /** The text of its `ref` file. */
  readonly ref: string
  /** Bytes of its `data` file. */
  readonly size: number
}

/** The digests of the blobs that lie under a root, by their file names, sorted. */
export async function storedDigests(root: string): Promise<readonly string[]> {
  const blobs = path.join(root, 'content/blobs')
  const found: string[] = []
  for (const algorithm of await entries(blobs)) {
    for (const encoded of await entries(path.join(blobs, algorithm))) found.push(`${algorithm}:${encoded}`)
  }
  return found.toSorted()
}

/** The digests of those blobs whose bytes are not what their names say. */
export async function corruptDigests(root: string): Promise<readonly string[]> {
  const corrupt: string[] = []
  for (const digest of await storedDigests(root)) {
    const [algorithm = '', encoded = ''] = digest.split(':')
    const hash = createHash(algorithm)
    const file = createReadStream(path.join(root, 'content/blobs', algorithm, encoded))
    for await (const chunk of file) hash.update(chunk)
    if (hash.digest('hex') !== encoded) corrupt.push(digest)
  }
  return corrupt
}

/** The unfinished writes that lie under a root. */
export async function storedIngests(root: string): Promise<readonly IngestFile[]> {
  const ingests = path.join(root, 'content/ingest')
  const found: IngestFile[] = []
  for (const name of await entries(ingests)) {
    const ref = await fs.readFile(path.join(ingests, name, 'ref'), 'utf8').catch(() => '')
    const size = await fs.stat(path.join(ingests, name, 'data')).then(
      ({ size }) => size,
      () => 0,
    )
    found.push({ ref, size })
  }
  return found
}

const entries = async (directory: string): Promise<readonly string[]> => {
  try {
    return await fs.readdir(directory)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
