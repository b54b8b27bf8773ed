import fs from 'node:fs/promises'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fromErrno, isNotFound, OrlopError } from '../errors.ts'
import { crc32c } from './crc32c.ts'
import { unsnappy } from './snappy.ts'

/** The names of a database's tables, to be listed before it is opened. */
export async function tablesIn(directory: string): Promise<readonly string[]> {
  const names = await fs.readdir(directory).catch((error: unknown) => {
    throw fromErrno(error, `metadata: the database ${directory}`)
  })
  return names.filter(name => /^\d+\.(?:ldb|sst)$/.test(name))
}

/**
 * Checks every checksum in tables of a LevelDB database.
 *
 * LevelDB writes them and, as `level` opens it, never looks at them: a flipped bit makes another record, or hides some, and
 * a collection would then remove what those kept. Tables never change once they are written; those that are gone by
 * now were merged into others, or a crash had left them unfinished, and are passed over.
 *
 * @throws DATA_LOSS  a table whose bytes are not those that were written
 */
export async function verifyTables(directory: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const file = path.join(directory, name)
    const bytes = await read(file)
    if (bytes === undefined) continue
    try {
      await verifyTable(bytes)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new OrlopError(
        'DATA_LOSS',
        `metadata: the database ${directory} is damaged (${name}: ${error.message}); restore the directory from a copy, or make records anew with "orlop rebuild"`,
        { cause: error },
      )
    }
  }
}

async function read(file: string): Promise<Buffer | undefined> {
  try {
    return await fs.readFile(file)
  } catch (error) {
    const failure = fromErrno(error, `metadata: ${file}`)
    if (isNotFound(failure)) return undefined
    throw failure
  }
}

/** Where a block is; its type and checksum come behind it. */
interface Handle {
  readonly offset: number
  readonly size: number
}

/** Bytes of the footer: two handles, padded to 40, and a number that tells tables from other files. */
const footerSize = 48
const magic = 0xdb4775248b80fb57n
/** Bytes between turns for others. */
const turn = 1 << 20

/** @see LevelDB, doc/table_format.md. @throws RangeError  anything that is not as it was written */
async function verifyTable(bytes: Buffer): Promise<void> {
  const footer = bytes.subarray(Math.max(0, bytes.byteLength - footerSize))
  if (footer.byteLength < footerSize || footer.readBigUInt64LE(40) !== magic)
    throw new RangeError('no footer')
  const handles = new Cursor(footer.subarray(0, 40))
  const meta = handles.handle()
  const index = handles.handle()
  let since = 0
  // The filters first: a damaged one hides records.
  for (const handle of [...handlesIn(blockOf(bytes, meta)), ...handlesIn(blockOf(bytes, index))]) {
    blockOf(bytes, handle, { checkOnly: true })
    since += handle.size
    if (since < turn) continue
    since = 0
    await setImmediate()
  }
}

/** A block's content; compressed as it is when it is only checked. */
function blockOf(bytes: Buffer, { offset, size }: Handle, { checkOnly = false } = {}): Buffer {
  const end = offset + size
  if (end + 5 > bytes.byteLength) throw new RangeError(`a block of ${size} bytes at ${offset} is cut off`)
  if (crc32c(bytes.subarray(offset, end + 1)) !== unmasked(bytes.readUInt32LE(end + 1))) {
    throw new RangeError(`the block of ${size} bytes at ${offset} has another checksum`)
  }
  const content = bytes.subarray(offset, end)
  if (checkOnly || bytes[end] === 0) return content
  if (bytes[end] !== 1) throw new RangeError(`a block at ${offset} of the unknown type ${bytes[end]}`)
  return unsnappy(content)
}

/** LevelDB stores a checksum of bytes that may hold checksums turned by 15 bits, and with a number added. */
const unmasked = (masked: number): number => {
  const turned = (masked - 0xa282ead8) >>> 0
  return ((turned >>> 17) | (turned << 15)) >>> 0
}

/** The values of a block of handles. Behind its entries are the places where keys are whole, and how many these are. */
function* handlesIn(block: Buffer): Generator<Handle> {
  if (block.byteLength < 4) throw new RangeError('an index that is cut off')
  const restarts = block.readUInt32LE(block.byteLength - 4)
  const cursor = new Cursor(block.subarray(0, Math.max(0, block.byteLength - 4 - 4 * restarts)))
  while (!cursor.atEnd) {
    cursor.varint()
    const rest = cursor.varint()
    const length = cursor.varint()
    cursor.skip(rest)
    yield new Cursor(cursor.take(length)).handle()
  }
}

class Cursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.byteLength
  }

  varint(): number {
    let value = 0
    for (let factor = 1; factor <= 2 ** 42; factor *= 128) {
      const byte = this.take(1)[0] ?? 0
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
    throw new RangeError('a number that is too long')
  }

  handle(): Handle {
    return { offset: this.varint(), size: this.varint() }
  }

  take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.byteLength) throw new RangeError('an index that is cut off')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  skip(length: number): void {
    this.take(length)
  }
}
