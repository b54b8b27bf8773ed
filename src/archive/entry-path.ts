import path from 'node:path'
import { OrlopError } from '../errors.ts'
import type { TarHeader } from './types.ts'

/**
 * The name of an entry of an archive of images as a path from its top, without `./` and doubled or trailing slashes; `.`
 * for the top itself.
 *
 * Nothing is ever written under such a name. What leads out is refused all the same, for another program may do so.
 *
 * @param what  names the archive in errors
 * @throws INVALID_ARGUMENT  an absolute name, one with a part `..`, or with a character that does not print
 */
export function entryPath(name: string, what: string): string {
  const why = faultOf(name)
  if (why !== undefined) throw new OrlopError('INVALID_ARGUMENT', `${what}: entry ${quote(name)}: ${why}`)
  return path.posix.normalize(name).replace(/\/$/, '')
}

const faultOf = (name: string): string | undefined => {
  if (name.startsWith('/')) return 'an absolute name'
  if (name.split('/').includes('..')) return 'a name that leads out of the archive'
  return /[^\P{C}]/u.test(name) ? 'a name with control characters' : undefined
}

/**
 * The path in the archive that a link points at: a symbolic one from its own directory, a hard one from the top.
 *
 * @throws INVALID_ARGUMENT  a target that is absolute or leads out
 */
export function linkTarget({ name, type, linkName }: TarHeader, what: string): string {
  const own = entryPath(name, what)
  const from = type === 'symlink' ? path.posix.dirname(own) : '.'
  const target = path.posix.normalize(path.posix.join(from, linkName))
  const leadsOut = linkName.startsWith('/') || target === '..' || target.startsWith('../')
  if (leadsOut || /[^\P{C}]/u.test(target)) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `${what}: entry ${quote(name)}: a link to ${quote(linkName)}, which leads out of the archive`,
    )
  }
  return target.replace(/\/$/, '')
}

const quote = (name: string): string => JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name)
