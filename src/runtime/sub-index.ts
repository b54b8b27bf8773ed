import { readBlob } from '../content/blob.ts'
import type { Provider } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { defaultMaxDepth } from '../handlers/path.ts'
import { type Descriptor, descriptorOf } from '../oci/descriptor.ts'
import { maxManifestSize, parseIndex } from '../oci/document.ts'
import { asObject, type JsonObject, parseJson } from '../oci/json.ts'
import { isIndex } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'
import { type Documents, type LocalContent, withDocuments } from './documents.ts'

/** An index with some of its entries left out: another index, of another digest. */
export interface SubIndex {
  readonly target: Descriptor
  /** The content it was made of, and the indexes that were made. */
  readonly content: LocalContent
}

/** BuildKit's annotation of an attestation: the digest of the manifest that it is about. */
const aboutKey = 'vnd.docker.reference.digest'

/**
 * Leaves entries out of an index, and out of those below it; an index that is left without entries goes too. So do
 * attestations, in BuildKit's manner, of what is left out. All else in the documents stays as it is.
 *
 * @param keeps  told of each entry that is no index
 * @throws NOT_FOUND  nothing is left, or an index cannot be read
 */
export async function subIndex(
  content: LocalContent,
  root: Descriptor,
  keeps: (desc: Descriptor) => boolean,
  options: AbortOptions = {},
): Promise<SubIndex> {
  const documents = new Map<string, Uint8Array>()
  const target = await new Pruning(content, keeps, documents, options).index(root, 0)
  if (target === undefined) throw new OrlopError('NOT_FOUND', `index ${root.digest}: nothing of it is left`)
  return { target, content: withDocuments(content, documents) }
}

class Pruning {
  readonly #content: Provider
  readonly #keeps: (desc: Descriptor) => boolean
  readonly #documents: Documents
  readonly #options: AbortOptions

  constructor(
    content: Provider,
    keeps: (desc: Descriptor) => boolean,
    documents: Documents,
    options: AbortOptions,
  ) {
    this.#content = content
    this.#keeps = keeps
    this.#documents = documents
    this.#options = options
  }

  async index(desc: Descriptor, depth: number): Promise<Descriptor | undefined> {
    if (depth > defaultMaxDepth)
      throw new OrlopError('INVALID_ARGUMENT', `index ${desc.digest}: nested too deep, refused as hostile`)
    const bytes = await readBlob(this.#content, desc, { ...this.#options, maxSize: maxManifestSize })
    const { manifests } = parseIndex(bytes, `index ${desc.digest}`)
    const kept = await this.#kept(manifests, depth)
    if (kept.every(({ before, after }) => before === after) && kept.length === manifests.length) return desc
    if (kept.length === 0) return undefined
    const json = asObject(parseJson(bytes, `index ${desc.digest}`), `index ${desc.digest}`)
    const made = Buffer.from(
      JSON.stringify({ ...json, manifests: kept.map(({ at, after }) => entryOf(json, at, after)) }),
    )
    const { digest, size } = descriptorOf(desc.mediaType, made)
    this.#documents.set(digest, made)
    return Object.freeze({ ...desc, digest, size })
  }

  async #kept(manifests: readonly Descriptor[], depth: number): Promise<readonly Kept[]> {
    const kept: Kept[] = []
    for (const [at, before] of manifests.entries()) {
      const after = isIndex(before)
        ? await this.index(before, depth + 1)
        : this.#keeps(before)
          ? before
          : undefined
      if (after) kept.push({ at, before, after })
    }
    const dropped = new Set(
      manifests.map(({ digest }) => digest).filter(digest => !kept.some(one => one.before.digest === digest)),
    )
    return kept.filter(({ before }) => {
      const about = before.annotations?.[aboutKey]
      return about === undefined || ![...dropped].some(digest => digest === about)
    })
  }
}

interface Kept {
  readonly at: number
  readonly before: Descriptor
  readonly after: Descriptor
}

/** The entry as the document has it, pointing at what became of it. */
function entryOf(index: JsonObject, at: number, { digest, size }: Descriptor): unknown {
  const entry = Array.isArray(index.manifests) ? index.manifests[at] : undefined
  return { ...asObject(entry, 'entry'), digest, size }
}
