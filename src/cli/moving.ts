import type { FileEvent } from '../archive/types.ts'
import { isConfig, isIndex, isLayer, isManifest } from '../oci/media-type.ts'
import type { BlobEvent, ProgressEvent } from '../remotes/progress.ts'

/** Whatever progress is shown of: blobs on their way, and files of an archive. */
export type ShownEvent = ProgressEvent | FileEvent

/** Something whose bytes are on their way. */
export interface Moving {
  /** Tells it from others. */
  readonly key: string
  /** Short enough for a line. */
  readonly name: string
  readonly offset: number
  readonly total: number
}

/** What moves, in an event that says how far it is; else `undefined`. */
export function movingOf(event: ShownEvent): Moving | undefined {
  if (event.type === 'downloading' || event.type === 'uploading') {
    return { key: event.ref, name: blobName(event), offset: event.offset, total: event.total }
  }
  if (event.type !== 'storing' && event.type !== 'writing') return undefined
  return { key: event.path, name: fileName(event), offset: event.offset, total: event.size }
}

/** `blob sha256:9ad63333ebc9`, or the path of a file that is not called by its digest. */
export const fileName = ({ path, digest }: FileEvent): string =>
  digest === undefined ? path : `blob ${digest.slice(0, 19)}`

/** The key of what an event is about, moving or not; else `undefined`. */
export const keyOf = (event: ShownEvent): string | undefined => {
  if ('path' in event) return event.path
  return 'ref' in event ? event.ref : undefined
}

/** True when nothing of it moves any more. */
export const isDone = ({ type }: ShownEvent): boolean => done.has(type)

const done: ReadonlySet<string> = new Set(['complete', 'exists', 'stored', 'written', 'present'])

/** `layer sha256:9ad63333ebc9`: short enough for a line, long enough to find. */
export const blobName = ({ target }: BlobEvent): string => `${kindOf(target)} ${target.digest.slice(0, 19)}`

const kindOf = (target: BlobEvent['target']): string => {
  if (isIndex(target)) return 'index'
  if (isManifest(target)) return 'manifest'
  if (isConfig(target)) return 'config'
  return isLayer(target) ? 'layer' : 'blob'
}
