import { withLease } from '../../metadata/with-lease.ts'
import { hostPlatform } from '../../oci/host-platform.ts'
import { only, onlyStrict } from '../../oci/matcher.ts'
import { formatPlatformAll } from '../../oci/platform.ts'
import type { Scope } from '../../runtime/runtime.ts'
import type { Wanted } from '../../runtime/select.ts'
import type { Platform } from '../gen/containerd/types/platform_pb.ts'
import { platformOf } from '../messages.ts'
import { namespaceOf } from '../parts.ts'
import type { Call } from '../rpc.ts'
import type { Stream, Streams } from '../streams.ts'
import type { Reporter } from './progress.ts'

/** What a transfer works with. */
export interface TransferWork {
  readonly streams: Streams
  readonly scope: Scope
  readonly progress: Reporter
  readonly call: Call
}

/** The stream that a message names. @throws NOT_FOUND  the namespace has none of that id */
export const streamOf = ({ streams, call }: Pick<TransferWork, 'streams' | 'call'>, id: string): Stream =>
  streams.get(namespaceOf(call), id)

/** Does work under the lease of the call, or one for a day. */
export const underLease = <T>(
  { scope, call }: TransferWork,
  work: (leased: Scope) => Promise<T>,
): Promise<T> =>
  call.header('containerd-lease') !== ''
    ? work(scope)
    : withLease(scope.leases, { signal: call.signal }, ({ id }) => work(scope.under(id)))

/** Platforms that a message asks for; `undefined`: it names none. */
export const wantedOf = (platforms: readonly Platform[]): readonly Wanted[] | undefined =>
  platforms.length === 0
    ? undefined
    : platforms.map(message => {
        const platform = platformOf(message)
        return { matcher: only(platform), text: formatPlatformAll(platform) }
      })

/** The platform of this machine, and no other that it could run too. */
export function hostWanted(): Wanted {
  const platform = hostPlatform()
  return { matcher: onlyStrict(platform), text: formatPlatformAll(platform) }
}
