import type { AbortOptions } from '../options.ts'

/** Fills a buffer from its start with what begins at `offset`; gives the number of bytes, 0 at the end. */
export type Fill = (buffer: Buffer, offset: number) => Promise<{ readonly bytesRead: number }>

/**
 * A file in two buffers by turns: one is filled while the reader has the other, whose chunk is its until the next one is
 * asked for. New ones for each chunk, as Node's streams make them, cost the kernel more time than the reading: it clears
 * every page.
 *
 * @param size  of a buffer, in bytes
 */
export async function* byTurns(
  fill: Fill,
  size: number,
  { signal }: AbortOptions = {},
): AsyncGenerator<Uint8Array> {
  const buffers = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)] as const
  let offset = 0
  const next = (turn: 0 | 1) => {
    const filling = fill(buffers[turn], offset)
    // Whoever awaits it gets the error; until then it is not unhandled.
    filling.catch(() => undefined)
    return filling
  }
  let filling = next(0)
  try {
    for (let turn: 0 | 1 = 0; ; turn = turn === 0 ? 1 : 0) {
      const { bytesRead } = await filling
      signal?.throwIfAborted()
      if (bytesRead === 0) return
      offset += bytesRead
      filling = next(turn === 0 ? 1 : 0)
      yield buffers[turn].subarray(0, bytesRead)
    }
  } finally {
    // The file may be closed after this: not while a read is under way.
    await filling.catch(() => undefined)
  }
}
