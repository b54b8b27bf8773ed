import { lookup } from 'node:dns/promises'
import type { AbortOptions } from '../../options.ts'

/** A name that takes longer to look up than this counts as unknown. */
const lookupMs = 5000

/** The addresses of a name, as the system resolves it; none when it is unknown. */
export async function addressesOf(name: string, { signal }: AbortOptions = {}): Promise<readonly string[]> {
  const stop = AbortSignal.any([AbortSignal.timeout(lookupMs), ...(signal ? [signal] : [])])
  const stopped = new Promise<readonly string[]>(resolve => {
    stop.addEventListener('abort', () => resolve([]), { once: true })
  })
  const found = lookup(name, { all: true }).then(
    addresses => addresses.map(({ address }) => address),
    () => [],
  )
  const addresses = await Promise.race([found, stopped])
  signal?.throwIfAborted()
  return addresses
}
