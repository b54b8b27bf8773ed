import type { Provider, ReadOptions } from '../content/types.ts'
import type { Digest } from '../oci/digest.ts'

/** Reads up to so many bytes are answered out of blocks. */
const smallRead = 64 * 1024

/** Bytes of a block. */
const blockSize = 256 * 1024

/** Blobs that are followed at one time. */
const maxBlobs = 16

/** A blob that somebody reads from front to back, in small pieces. */
interface Reading {
  /** Where the next piece begins, if it goes on so. */
  next: number
  /** Where the block begins, and its bytes. */
  start: number
  block: Uint8Array
}

/** Which bytes of which blob. */
export interface Piece {
  /** Tells readers of different namespaces apart. */
  readonly namespace: string
  readonly digest: Digest
  readonly size: number
  readonly offset: number
  readonly length: number
}

/**
 * Reads pieces of blobs; of one that is read in small pieces, one after the other, it reads blocks ahead. `ctr content get`
 * asks for 32 KiB at a time, each with a call of its own.
 *
 * Bytes of a blob are the same for ever, so a block cannot be out of date; that the blob is there is asked elsewhere.
 */
export class ReadAhead {
  /** The one that was read last is the last. */
  readonly #readings = new Map<string, Reading>()

  async *read(
    content: Provider,
    { namespace, digest, size, offset, length }: Piece,
    { signal, buffers }: Pick<ReadOptions, 'signal' | 'buffers'>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const target = { digest, size, mediaType: '' }
    const reading = length <= smallRead ? this.#follow(`${namespace} ${digest}`) : undefined
    if (reading === undefined) {
      yield* content.read(target, { offset, length, signal, buffers })
      return
    }
    const goesOn = reading.next === offset && offset > 0
    reading.next = offset + length
    if (!holds(reading, offset, length)) {
      if (!goesOn) {
        yield* content.read(target, { offset, length, signal })
        return
      }
      const pieces: Uint8Array[] = []
      const ahead = { offset, length: Math.max(length, blockSize), signal }
      for await (const piece of content.read(target, ahead)) pieces.push(piece)
      const [only] = pieces
      reading.block = pieces.length === 1 && only ? only : Buffer.concat(pieces)
      reading.start = offset
    }
    yield reading.block.subarray(offset - reading.start, offset - reading.start + length)
    // Its end is its last use, as a rule.
    if (reading.next >= size) this.#readings.delete(`${namespace} ${digest}`)
  }

  #follow(key: string): Reading {
    const reading = this.#readings.get(key) ?? { next: -1, start: 0, block: new Uint8Array() }
    this.#readings.delete(key)
    this.#readings.set(key, reading)
    const [oldest = ''] = this.#readings.keys()
    if (this.#readings.size > maxBlobs) this.#readings.delete(oldest)
    return reading
  }
}

const holds = ({ start, block }: Reading, offset: number, length: number): boolean =>
  start <= offset && offset + length <= start + block.byteLength
