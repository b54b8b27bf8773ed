import fs from 'node:fs/promises'
import { fromErrno, OrlopError } from '../errors.ts'
import { asArray, asString, type JsonObject } from '../oci/json.ts'
import type { AbortOptions } from '../options.ts'
import { asBase64, invalid } from './strict.ts'
import type { Sources } from './types.ts'

/** A file of keys or a policy larger than this is refused. */
const maxFileSize = 1024 * 1024

/**
 * Where keys come from: exactly one of some keys of an object, whose names tell how each is read. `…Path` is a file, `…Paths`
 * several, `…Data` a content in base64, `…Datas` several.
 *
 * @returns `undefined` when none is there
 * @throws INVALID_ARGUMENT  more than one, or one that is empty
 */
export function readSources(json: JsonObject, what: string, names: readonly string[]): Sources | undefined {
  const present = names.filter(name => Object.hasOwn(json, name))
  const [name] = present
  if (name === undefined) return undefined
  if (present.length > 1)
    throw invalid(what, `only one of ${names.join(', ')} may be given, not ${present.join(' and ')}`)
  return readSource(json[name], `${what}.${name}`, name)
}

function readSource(value: unknown, what: string, name: string): Sources {
  if (name.endsWith('Path')) return { paths: [asPath(value, what)] }
  if (name.endsWith('Paths')) return { paths: filled(asArray(value, what, asPath), what) }
  if (name.endsWith('Data')) return { contents: [asBase64(value, what)] }
  return { contents: filled(asArray(value, what, asBase64), what) }
}

const asPath = (value: unknown, what: string): string => {
  const text = asString(value, what)
  if (text === '') throw invalid(what, 'empty')
  return text
}

const filled = <T>(list: readonly T[], what: string): readonly T[] => {
  if (list.length === 0) throw invalid(what, 'contains no entries')
  return list
}

/**
 * The contents of all sources, files read anew each time.
 *
 * @throws NOT_FOUND, PERMISSION_DENIED  a file that cannot be read
 * @throws RESOURCE_EXHAUSTED  a file of more than 1 MiB
 */
export async function loadSources(
  sources: Sources,
  what: string,
  options: AbortOptions = {},
): Promise<readonly Uint8Array[]> {
  if ('contents' in sources) return sources.contents
  const contents: Uint8Array[] = []
  for (const path of sources.paths) contents.push(await readSmall(path, `${what} ${path}`, options))
  return contents
}

/** All of a file, when it is not larger than 1 MiB. */
export async function readSmall(
  path: string,
  what: string,
  { signal }: AbortOptions = {},
): Promise<Uint8Array> {
  try {
    await using handle = await fs.open(path, 'r')
    const bytes = Buffer.alloc(maxFileSize + 1)
    let size = 0
    for (;;) {
      signal?.throwIfAborted()
      const { bytesRead } = await handle.read(bytes, size, bytes.length - size)
      size += bytesRead
      if (bytesRead === 0) return Buffer.from(bytes.subarray(0, size))
      if (size > maxFileSize)
        throw new OrlopError('RESOURCE_EXHAUSTED', `${what}: larger than the ${maxFileSize} bytes allowed`)
    }
  } catch (error) {
    throw fromErrno(error, what)
  }
}
