import { open } from 'node:fs/promises'
import { errnoOf } from '../../content/fs-durable.ts'
import { fromErrno, OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'

/** A path through what is no directory leads nowhere: `DOCKER_CONFIG=/dev/null` is a way to say "none". */
const absent: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR'])

/** Bytes of a file of configuration that are read; one with more is refused. */
const maxTextFile = 4 * 1024 * 1024

/**
 * The text of a small file, or `undefined` when there is none.
 *
 * @throws FAILED_PRECONDITION  more than 4 MiB, or not UTF-8
 * @throws PERMISSION_DENIED  it may not be read
 */
export async function readText(file: string, { signal }: AbortOptions = {}): Promise<string | undefined> {
  signal?.throwIfAborted()
  const chunks: Uint8Array[] = []
  try {
    await using handle = await open(file, 'r')
    for (let size = 0; size <= maxTextFile; ) {
      const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(64 * 1024) })
      signal?.throwIfAborted()
      if (bytesRead === 0) return decode(Buffer.concat(chunks), file)
      chunks.push(buffer.subarray(0, bytesRead))
      size += bytesRead
    }
  } catch (error) {
    signal?.throwIfAborted()
    if (absent.has(errnoOf(error) ?? '')) return undefined
    throw fromErrno(error, file)
  }
  const why = `longer than the ${maxTextFile} bytes allowed for a file of configuration`
  throw new OrlopError('FAILED_PRECONDITION', `${file}: ${why}`)
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new OrlopError('FAILED_PRECONDITION', `${file}: not UTF-8`, { cause })
  }
}
