import type { Contender } from './types.ts'

/** Bytes that one process may have at most, by the targets. */
const mostBytes = 160 * 2 ** 20

/** No run: what the targets say, as a row beside ours. */
export const bound = (name: string, wallMs = 0): Contender => ({
  name,
  kind: 'limit',
  run: async () => ({
    wallMs,
    cpuMs: 0,
    peakBytes: mostBytes,
    readBytes: 0,
    writtenBytes: 0,
    pauseMs: 100,
  }),
})

/** The row of a case that has only its memory to be held to. */
export const memoryBound = '160 MiB'
