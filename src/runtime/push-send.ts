import type { Provider } from '../content/types.ts'
import { children } from '../handlers/children.ts'
import { pipe } from '../handlers/pipe.ts'
import { referrers, rememberReferrers } from '../handlers/referrers.ts'
import { skipNonDistributable } from '../handlers/skip.ts'
import { storedReferrers } from '../images/stored-referrers.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Reference } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'
import { copyGraph } from '../remotes/copy.ts'
import { type OnProgress, type ProgressEvent, ProgressTotals, type Totals } from '../remotes/progress.ts'
import type { Pusher, WritingResolver } from '../remotes/types.ts'
import { mountSources, rememberPushed } from './push-sources.ts'
import type { Scope } from './runtime.ts'

/** What is pushed, and where to. */
export interface PushWork {
  readonly resolver: WritingResolver
  readonly scope: Scope
  readonly place: Reference
  /** The image, before anything of it is left out. */
  readonly root: Descriptor
  /** Repositories that blobs were taken over from. */
  readonly mounted: Map<Digest, string>
}

/** How `sendGraph` goes about it. */
export interface SendOptions extends AbortOptions {
  readonly nonDistributable?: boolean | undefined
  readonly referrers?: boolean | undefined
  readonly concurrency?: number | undefined
  readonly onProgress?: OnProgress | undefined
}

/** One way to send: what, from where, and to which name. */
export interface Sending {
  readonly source: Provider
  readonly target: Descriptor
  /** With the tag and the digest of the target. */
  readonly to: string
}

/** The repository of `to`, to write; blobs are mounted from where labels say that its registry has them. */
export function pusherOf(
  { resolver, scope, place, root, mounted }: PushWork,
  to: string,
  options: AbortOptions,
): Promise<Pusher> {
  const sources = mountSources(scope.content, place, root.digest)
  const onMounted = (digest: Digest, from: string): void => void mounted.set(digest, from)
  return resolver.pusher(to, { ...options, sources, onMounted })
}

/** Sends an image, leaves first, and notes in labels what the registry has then. Throws as `push`. */
export async function sendGraph(
  work: PushWork,
  { source, target, to }: Sending,
  options: SendOptions,
): Promise<Totals> {
  const { content } = work.scope
  const { concurrency, signal } = options
  const record = new PushRecord(work, options.onProgress)
  const remembered = rememberReferrers(storedReferrers(content))
  const handler = pipe(
    children(source),
    ...(options.nonDistributable ? [] : [skipNonDistributable]),
    ...(options.referrers ? [referrers(remembered.find)] : []),
  )
  const pusher = await pusherOf(work, to, { signal })
  const { onProgress } = record
  await copyGraph(source, pusher, target, handler, { concurrency, onProgress, moving: 'uploading', signal })
  for (const desc of remembered.all())
    if (record.existed.has(desc.digest)) await pusher.enlist(desc, { signal })
  await rememberPushed(content, record.pushed, work.place, { signal })
  return record.totals.totals()
}

/** What has become of each blob. */
class PushRecord {
  readonly totals = new ProgressTotals()
  readonly pushed = new Set<Digest>()
  readonly existed = new Set<Digest>()
  readonly #work: PushWork
  readonly #tell: OnProgress | undefined

  constructor(work: PushWork, tell: OnProgress | undefined) {
    this.#work = work
    this.#tell = tell
  }

  readonly onProgress: OnProgress = event => {
    const told = this.#withOrigin(event)
    if (told.type === 'exists') this.existed.add(told.target.digest)
    if (told.type === 'exists' || told.type === 'complete') this.pushed.add(told.target.digest)
    this.totals.add(told)
    this.#tell?.(told)
  }

  #withOrigin(event: ProgressEvent): ProgressEvent {
    const from = event.type === 'exists' ? this.#work.mounted.get(event.target.digest) : undefined
    return event.type === 'exists' && from !== undefined ? { ...event, from } : event
  }
}
