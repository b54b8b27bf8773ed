import type { Provider } from '../../content/types.ts'
import { OrlopError } from '../../errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { Budget } from './budget.ts'
import { openImage } from './image-layers.ts'
import { isWithin, rooted } from './names.ts'
import { behind, type Found, LayerSearch, type OpenEntry } from './search.ts'
import type { FilesOptions, ImageFile } from './types.ts'

/** Options of `imageFile`. */
export interface ImageFileOptions extends FilesOptions {
  /**
   * True: after the last byte the rest of the layer is read too, so that its digest and diff id are checked. Else reading
   * stops there, and what was given is as good as who serves the layer.
   */
  readonly verify?: boolean | undefined
}

/** A file of an image, open to be read. */
export interface OpenFile extends AsyncDisposable {
  /** What it is; its path is the one that links led to. */
  readonly file: ImageFile
  /** Its bytes, once. Throws as `imageFiles`. */
  readonly body: AsyncIterable<Uint8Array>
}

/** Links that are followed for one path; Linux follows as many. */
const maxLinks = 40

/**
 * One file of an image, out of the layer that has it. Symbolic and hard links are followed within the image.
 *
 * Layers are read from the top down, that of the file only so far as the file reaches, those below not at all. Of a layer
 * that has a file twice, which the specification forbids, it is the first. Dispose of what is returned when its body is not
 * read to the end.
 *
 * @throws NOT_FOUND  no such file; the text names the nearest parent that is there
 * @throws INVALID_ARGUMENT  it is a directory, a device or a pipe; a path with `..`; more than 40 links
 * @throws UNIMPLEMENTED  a sparse file
 * @throws as `imageFiles` for images and layers that cannot be read
 * @see image-spec v1.1, layer.md; symlink(7)
 */
export async function imageFile(
  provider: Provider,
  target: Descriptor,
  name: string,
  { verify = false, ...options }: ImageFileOptions = {},
): Promise<OpenFile> {
  const asked = rooted(name, 'path')
  const image = await openImage(provider, target, options)
  const budget = new Budget(options.limits)
  const search = new LayerSearch(image, { provider, budget, signal: options.signal })
  const { file, at, open } = await follow(search, asked)
  const entry = open ?? (await search.open(file, at))
  if (entry === undefined)
    throw new OrlopError('DATA_LOSS', `layer ${file.layer.digest}: no longer has ${quote(file.path)}`)
  return {
    file: entry.file,
    body: bodyOf(entry, verify),
    [Symbol.asyncDispose]: async () => void (await entry.rest.return()),
  }
}

type FoundFile = Extract<Found, { kind: 'file' }>

/** Follows links to a file that has bytes. */
async function follow(search: LayerSearch, asked: string): Promise<FoundFile> {
  let full = asked
  let top = 0
  for (let links = 0; links <= maxLinks; links++) {
    const found = await search.find(full, top)
    top = 0
    if (found.kind === 'elsewhere') full = found.path
    else if (found.kind === 'directory') throw notAFile(asked, full, 'directory')
    else if (found.kind === 'absent') throw notFound(asked, full, found)
    else if (found.file.type === 'file') return found
    else if (found.file.type === 'symlink') full = behind(found.file)
    else if (found.file.type === 'hardlink') {
      // It was made when the layers above were not there yet.
      full = found.file.link ?? '/'
      top = found.at
    } else throw notAFile(asked, full, found.file.type)
  }
  throw new OrlopError(
    'INVALID_ARGUMENT',
    `${quote(asked)}: more than ${maxLinks} links, the last to ${quote(full)}; they may go round`,
  )
}

async function* bodyOf(
  { file, body, rest }: OpenEntry,
  verify: boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body()
    if (!verify) return
    for await (const entry of rest)
      if ('file' in entry && isWithin(file.path, entry.file.path) && entry.file.type !== 'directory')
        throw new OrlopError(
          'INVALID_ARGUMENT',
          `layer ${file.layer.digest}: has ${quote(file.path)} twice, and the one that was given is not the last`,
        )
  } finally {
    await rest.return()
  }
}

const notFound = (asked: string, full: string, { parent, obstacle }: Extract<Found, { kind: 'absent' }>) => {
  const way = full === asked ? quote(asked) : `${quote(asked)}: its link leads to ${quote(full)}, which is`
  const nearest = obstacle
    ? `${quote(obstacle.path)} is a ${obstacle.type}`
    : `${quote(parent)} is the nearest directory that is there`
  return new OrlopError('NOT_FOUND', `${way}: not in the image; ${nearest}`)
}

const notAFile = (asked: string, full: string, type: string): OrlopError =>
  new OrlopError(
    'INVALID_ARGUMENT',
    `${quote(asked)}: ${full === asked ? '' : `leads to ${quote(full)}, which `}is a ${type}, not a file`,
  )

const quote = (full: string): string => JSON.stringify(full.length > 300 ? `${full.slice(0, 300)}…` : full)
