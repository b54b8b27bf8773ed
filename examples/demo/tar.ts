import fs from 'node:fs/promises'
import path from 'node:path'

/** One file of a tar: where it comes from and what it is called inside, with slashes and without a leading one. */
export interface TarEntry {
  readonly source: string
  readonly name: string
}

/**
 * A tar in the ustar form out of files, with the directories above them.
 *
 * The same files give the same bytes, whenever and wherever: sorted, owned by root, dated 1970.
 *
 * @throws RangeError  a name that ustar cannot hold (more than 255 bytes, or no slash in the right place)
 * @see POSIX.1-1988, ustar interchange format
 */
export async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const parts: Buffer[] = []
  for (const directory of directoriesOf(sorted)) parts.push(header(`${directory}/`, 0, 0o755, '5'))
  for (const { source, name } of sorted) {
    const bytes = await fs.readFile(source)
    const { mode } = await fs.stat(source)
    parts.push(
      header(name, bytes.byteLength, (mode & 0o111) === 0 ? 0o644 : 0o755, '0'),
      bytes,
      padding(bytes),
    )
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * blockSize)])
}

/** All files of a directory, however deep, named as they will be below `prefix`. */
export async function filesOf(directory: string, prefix: string): Promise<readonly TarEntry[]> {
  const found = await fs.readdir(directory, { recursive: true, withFileTypes: true })
  return found
    .filter(file => file.isFile())
    .map(file => path.join(file.parentPath, file.name))
    .map(source => ({
      source,
      name: path.posix.join(prefix, ...path.relative(directory, source).split(path.sep)),
    }))
}

const blockSize = 512

const directoriesOf = (entries: readonly TarEntry[]): readonly string[] => {
  const found = new Set<string>()
  for (const { name } of entries) {
    for (let above = path.posix.dirname(name); above !== '.'; above = path.posix.dirname(above))
      found.add(above)
  }
  return [...found].toSorted()
}

const padding = ({ byteLength }: Buffer): Buffer =>
  Buffer.alloc((blockSize - (byteLength % blockSize)) % blockSize)

const header = (name: string, size: number, mode: number, type: '0' | '5'): Buffer => {
  const block = Buffer.alloc(blockSize)
  const [prefix, base] = splitName(name)
  block.write(base, 0)
  block.write(octal(mode, 7), 100)
  block.write(octal(0, 7), 108)
  block.write(octal(0, 7), 116)
  block.write(octal(size, 11), 124)
  block.write(octal(0, 11), 136)
  block.write('        ', 148)
  block.write(type, 156)
  block.write('ustar\x0000', 257)
  block.write(prefix, 345)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 6)}\0 `, 148)
  return block
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0')

const splitName = (name: string): readonly [prefix: string, base: string] => {
  if (Buffer.byteLength(name) <= 100) return ['', name]
  for (let at = name.indexOf('/'); at !== -1; at = name.indexOf('/', at + 1)) {
    const [prefix, base] = [name.slice(0, at), name.slice(at + 1)]
    if (base !== '' && Buffer.byteLength(prefix) <= 155 && Buffer.byteLength(base) <= 100)
      return [prefix, base]
  }
  throw new RangeError(`${name}: too long for a tar of the ustar form`)
}
