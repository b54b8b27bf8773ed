import type { Fields } from '../filters/filter.ts'
import type { Info, Status } from './types.ts'

/** Fields of a blob: `digest` and `labels.<key>`, where the key may have dots. @see containerd core/content/adaptor.go */
export const infoFields =
  ({ digest, labels }: Info): Fields =>
  ([first, ...rest]) => {
    if (first === 'digest') return rest.length === 0 ? digest : undefined
    const key = rest.join('.')
    return first === 'labels' && Object.hasOwn(labels, key) ? labels[key] : undefined
  }

/** Fields of an ingest: `ref`. */
export const statusFields =
  ({ ref }: Pick<Status, 'ref'>): Fields =>
  path =>
    path.length === 1 && path[0] === 'ref' ? ref : undefined
