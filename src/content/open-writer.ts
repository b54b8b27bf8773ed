import { setTimeout as sleep } from 'node:timers/promises'
import { isNotFound, isUnavailable } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { Ingester, IngestManager, Writer, WriterInit } from './types.ts'

/** Milliseconds between attempts to open a locked ref: doubles from the first to the last. */
const backOff = { first: 16, last: 2048 }

/**
 * Opens a writer, and waits while another one holds the ref.
 *
 * Waits only for stores that have ingests, and while they answer: UNAVAILABLE of a server that is down passes.
 *
 * @throws ALREADY_EXISTS  the blob is there, or came while waiting
 */
export async function openWriter(
  to: Ingester,
  init: WriterInit,
  options: AbortOptions = {},
): Promise<Writer> {
  const { signal } = options
  for (let most = backOff.first; ; most = Math.min(most * 2, backOff.last)) {
    try {
      return await to.writer(init, options)
    } catch (error) {
      const wait = isUnavailable(error) && (await answers(to, init.ref, options))
      signal?.throwIfAborted()
      if (!wait) throw error
    }
    await sleep(Math.random() * most, undefined, { signal }).catch(error => {
      signal?.throwIfAborted()
      throw error
    })
  }
}

/** True for a store whose ingests can be asked for; a registry's uploads cannot. */
export const isIngestManager = (to: Ingester): to is Ingester & IngestManager =>
  'status' in to && 'abort' in to

const answers = async (to: Ingester, ref: string, options: AbortOptions): Promise<boolean> => {
  if (!isIngestManager(to)) return false
  try {
    await to.status(ref, options)
    return true
  } catch (error) {
    // An ingest that ended meanwhile, or one that is not listed.
    return isNotFound(error)
  }
}
