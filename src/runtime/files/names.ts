import path from 'node:path'
import { OrlopError } from '../../errors.ts'

const prefix = '.wh.'
const aufs = '.wh..wh.'
const opaqueName = '.wh..wh..opq'

/** What the name of a tar entry stands for in a layer. */
export type Named =
  | { readonly kind: 'file' | 'whiteout' | 'opaque'; readonly path: string }
  /** Bookkeeping of aufs, which is no part of the image. */
  | { readonly kind: 'ignored' }

/**
 * What the name of an entry stands for: a file, or a mark for the layers below.
 *
 * @param what  goes before the name in errors
 * @throws INVALID_ARGUMENT  a name with a part `..`, or a whiteout of nothing, of `.` or of `..`
 * @see image-spec v1.1, layer.md, Whiteouts
 */
export function nameInLayer(name: string, what: string): Named {
  const full = rooted(name, what)
  if (!full.includes(`/${prefix}`)) return { kind: 'file', path: full }
  const { dir, base } = path.posix.parse(full)
  if (base === opaqueName) return { kind: 'opaque', path: dir }
  if (full.includes(`/${aufs}`)) return { kind: 'ignored' }
  if (!base.startsWith(prefix)) return { kind: 'file', path: full }
  const gone = base.slice(prefix.length)
  if (/^\.{0,2}$/.test(gone)) throw refused(name, what, `a whiteout of ${JSON.stringify(gone)}`)
  return { kind: 'whiteout', path: path.posix.join(dir, gone) }
}

/**
 * A path from the root out of a name that a tar or a user gives: `./a`, `a/`, `/a` and `a` are `/a`.
 *
 * @param what  goes before the name in errors
 * @throws INVALID_ARGUMENT  a part `..`
 */
export function rooted(name: string, what: string): string {
  // Nearly all names are plain.
  if (name.includes('..') && name.split('/').includes('..'))
    throw refused(name, what, 'a name with a part ".."')
  const full = path.posix.normalize(`/${name}`)
  return full.length > 1 && full.endsWith('/') ? full.slice(0, -1) : full
}

const refused = (name: string, what: string, why: string): OrlopError => {
  const shown = JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name)
  return new OrlopError('INVALID_ARGUMENT', `${what} ${shown}: ${why}`)
}

/** The directories that a path lies in, the nearest first, the root last; none for the root. */
export function* parentsOf(full: string): Generator<string, void, undefined> {
  for (let at = full.lastIndexOf('/'); at > 0; at = full.lastIndexOf('/', at - 1)) yield full.slice(0, at)
  if (full !== '/') yield '/'
}

/** True for a path that is `top` or lies in it. */
export const isWithin = (full: string, top: string): boolean =>
  top === '/' || full === top || full.startsWith(`${top}/`)
