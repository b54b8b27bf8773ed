import { has, readBlob } from '../content/blob.ts'
import type { InfoProvider, Provider } from '../content/types.ts'
import { hasCode, isNotFound } from '../errors.ts'
import { children } from '../handlers/children.ts'
import type { Handler } from '../handlers/types.ts'
import { walkPaths } from '../handlers/walk.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { parseJson } from '../oci/json.ts'
import { isConfig, isManifestOrIndex } from '../oci/media-type.ts'
import type { AbortOptions } from '../options.ts'

/** A node of an image's graph, as it stands here. */
export interface InspectedNode {
  readonly descriptor: Descriptor
  /** 0 for the image's target. Nodes come parents first, so depth alone draws the tree. */
  readonly depth: number
  readonly present: boolean
  /** The parsed document of an index, manifest or config that is here; with `content` only. */
  readonly content?: unknown
  /** Why a document that is here could not be read. */
  readonly problem?: string
}

/** Options of `inspect`. */
export interface InspectOptions extends AbortOptions {
  /** True: give the documents too. */
  readonly content?: boolean | undefined
}

/**
 * Everything below a target, parents before children; what is absent or corrupt is shown and has no children.
 *
 * A node that several parents name comes under each of them.
 */
export async function* inspect(
  store: Provider & Partial<InfoProvider>,
  target: Descriptor,
  { content = false, signal }: InspectOptions = {},
): AsyncGenerator<InspectedNode, void, undefined> {
  for await (const path of walkPaths(tolerant(children(store)), [target], { signal })) {
    const descriptor = path.at(-1)
    if (descriptor === undefined) continue
    const present = await isPresent(store, descriptor, { signal })
    const node = { descriptor, depth: path.length - 1, present }
    const isDocument = isManifestOrIndex(descriptor) || isConfig(descriptor)
    yield isDocument && present ? await withDocument(store, node, content, { signal }) : node
  }
}

/** A provider that cannot tell, a registry, is believed. */
const isPresent = async (
  store: Partial<InfoProvider>,
  desc: Descriptor,
  options: AbortOptions,
): Promise<boolean> => {
  const { info } = store
  return info === undefined || has({ info: info.bind(store) }, desc, options)
}

const tolerant =
  (next: Handler): Handler =>
  async (desc, options) => {
    try {
      return await next(desc, options)
    } catch (error) {
      if (!isReadable(error)) throw error
      return []
    }
  }

/** Errors that say something of one document; others end the whole. */
const isReadable = (error: unknown): boolean =>
  isNotFound(error) || hasCode(error, 'DATA_LOSS') || hasCode(error, 'INVALID_ARGUMENT')

async function withDocument(
  store: Provider,
  node: InspectedNode,
  content: boolean,
  options: AbortOptions,
): Promise<InspectedNode> {
  try {
    const json = parseJson(await readBlob(store, node.descriptor, options), node.descriptor.digest)
    return content ? { ...node, content: json } : node
  } catch (error) {
    if (!isReadable(error)) throw error
    return { ...node, problem: error instanceof Error ? error.message : String(error) }
  }
}
