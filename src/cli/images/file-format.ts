import type { ImageFile, LayerMark } from '../../runtime/files/types.ts'

const kinds: Readonly<Record<ImageFile['type'], string>> = {
  file: '-',
  hardlink: 'h',
  symlink: 'l',
  directory: 'd',
  'character-device': 'c',
  'block-device': 'b',
  fifo: 'p',
  other: '?',
}

/** `-rwsr-xr-x`, as ls and tar print modes. */
export function formatMode({ type, mode }: Pick<ImageFile, 'type' | 'mode'>): string {
  const triple = (shift: number, special: number, letter: string): string => {
    const bits = mode >> shift
    const runs = (bits & 1) !== 0
    const last = mode & special ? (runs ? letter : letter.toUpperCase()) : runs ? 'x' : '-'
    return `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${last}`
  }
  return `${kinds[type]}${triple(6, 0o4000, 's')}${triple(3, 0o2000, 's')}${triple(0, 0o1000, 't')}`
}

/** A line for a file with all that tar tells of it, and the number of its layer. */
export function formatLong(file: ImageFile): string {
  const { uid, gid, size, device, layer, path } = file
  const amount = (device?.join(',') ?? String(size)).padStart(10)
  const owner = `${uid}/${gid}`.padEnd(9)
  return `${formatMode(file)} ${owner} ${amount} ${formatTime(file.modifiedAt)} ${layer.index} ${path}${linkOf(file)}`
}

const linkOf = ({ type, link }: ImageFile): string => {
  if (link === undefined) return ''
  return type === 'hardlink' ? ` link to ${link}` : ` -> ${link}`
}

/** Seconds since 1970 as a date; numbers that are none stay as they are. */
export function formatTime(seconds: number): string {
  const date = new Date(Math.trunc(seconds) * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace('.000Z', 'Z')
}

/** A file or mark for `--json`. */
export function fileToJson({ path, type, layer, ...rest }: ImageFile | LayerMark): object {
  const { modifiedAt, mode, device, ...more } = 'mode' in rest ? rest : { mode: undefined }
  return {
    path,
    type,
    ...(mode !== undefined && { mode: mode.toString(8).padStart(4, '0') }),
    ...more,
    ...(device && { device }),
    ...(modifiedAt !== undefined && { modifiedAt: formatTime(modifiedAt) }),
    layer,
  }
}
