import path from 'node:path'
import { FsLayout } from '../content/fs-layout.ts'
import { type ContentFiles, contentFiles, type FileBytes } from '../content/fs-usage.ts'
import { Pace } from '../gc/pace.ts'
import { imageRecords } from '../images/store.ts'
import type { ImageRecord } from '../images/types.ts'
import { decode, readIngestRecord } from '../metadata/codec.ts'
import { type Collectible, type Node, nodeId, recordsOf } from '../metadata/collectible.ts'
import type { Database } from '../metadata/database.ts'
import type { View } from '../metadata/kv.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import type { Graph, Vertex } from './reach-graph.ts'

/** What a file of the content directory is: a blob by its digest, an ingest by the name of its directory. */
export interface StoredFile {
  readonly kind: 'blob-file' | 'ingest-file'
  readonly key: string
}

/** The records and files of a store at one moment, as the collector sees them; and the images of one namespace. */
export interface StoreGraph {
  readonly namespace: string
  /** In order of name. */
  readonly images: readonly ImageRecord[]
  readonly graph: Graph
  /** What each vertex is, by its place. */
  readonly what: readonly (Node | StoredFile)[]
  /** The vertices of an image: most have one; an expired one has another for those who keep only its target. */
  verticesOf(namespace: string, image: string): readonly number[]
  readonly files: ContentFiles
}

/** True for a file, false for a record. */
export const isFile = (what: Node | StoredFile): what is StoredFile =>
  what.kind === 'blob-file' || what.kind === 'ingest-file'

/** What a store graph is read from. */
export interface StoreGraphParts {
  readonly database: Database
  readonly collectibles: readonly Collectible[]
  /** The content directory. */
  readonly content: string
  readonly now: () => Date
}

/**
 * Reads all records and the sizes of all files once; roots and edges are the collector's own.
 *
 * Files first: what is committed in between then has both its record and its file. A record whose file is gone takes 0
 * bytes. Nothing is held meanwhile.
 *
 * @throws DATA_LOSS  a record that cannot be read
 */
export async function readStoreGraph(
  { database, collectibles, content, now }: StoreGraphParts,
  namespace: string,
  options: AbortOptions = {},
): Promise<StoreGraph> {
  const files = await contentFiles(content, options)
  return database.view(async view => {
    const builder = new Builder(new FsLayout(content), files)
    await builder.addRecords(view, collectibles, now(), options)
    await builder.addEdges(view, new Map(collectibles.map(one => [one.kind, one])), options)
    await builder.addIngests(view, options)
    const images: ImageRecord[] = []
    for await (const image of imageRecords(view, namespace, options)) images.push(image)
    return { namespace, images, files, ...builder.result() }
  })
}

type Growing = Vertex & { readonly below: number[] }

class Builder {
  readonly #layout: FsLayout
  readonly #vertices: Growing[] = []
  readonly #what: Array<Node | StoredFile> = []
  readonly #places = new Map<string, number>()

  constructor(layout: FsLayout, files: ContentFiles) {
    this.#layout = layout
    for (const [digest, size] of files.blobs) this.#addFile({ kind: 'blob-file', key: digest }, size)
    for (const [name, size] of files.ingests) this.#addFile({ kind: 'ingest-file', key: name }, size)
  }

  async addRecords(
    view: View,
    collectibles: readonly Collectible[],
    at: Date,
    options: AbortOptions,
  ): Promise<void> {
    const parents: Array<readonly [parent: Node, child: number]> = []
    const pace = new Pace(options)
    for (const collectible of collectibles) {
      for await (const scanned of collectible.all(view, at, options)) {
        const place = this.#addNode(scanned.node, scanned.root !== undefined)
        for (const parent of scanned.parents) parents.push([parent, place])
        if (pace.due) await pace.rest()
      }
    }
    for (const [parent, child] of parents) {
      const place = this.#places.get(nodeId(parent))
      if (place !== undefined) this.#vertices[place]?.below.push(child)
    }
  }

  /** Flat nodes join the list while it is gone through. */
  async addEdges(
    view: View,
    collectibles: ReadonlyMap<string, Collectible>,
    options: AbortOptions,
  ): Promise<void> {
    const pace = new Pace(options)
    for (const [place, node] of this.#what.entries()) {
      if (isFile(node)) continue
      if (pace.due) await pace.rest()
      for (const child of (await collectibles.get(node.kind)?.references(view, node)) ?? []) {
        const below = this.#placeOf(child)
        if (below !== undefined) this.#vertices[place]?.below.push(below)
      }
      if (node.kind === 'content' && isDigest(node.key)) this.#keepBlob(place, node.key)
    }
  }

  async addIngests(view: View, options: AbortOptions): Promise<void> {
    for await (const { entry, parsed } of recordsOf(view, 'ingest', options)) {
      const { backendRef, shared, expected } = decode(entry.key, entry.value, readIngestRecord)
      const { namespace, ref } = parsed
      const place = this.#places.get(nodeId({ kind: 'ingest', namespace, key: ref }))
      if (place === undefined) continue
      this.#keep(place, fileId({ kind: 'ingest-file', key: path.basename(this.#layout.ingest(backendRef)) }))
      // The bytes that it will become are those of this blob, whoever has a record of it.
      if (shared && expected !== undefined) this.#keepBlob(place, expected)
    }
  }

  result(): Pick<StoreGraph, 'graph' | 'what' | 'verticesOf'> {
    const places = this.#places
    return {
      graph: this.#vertices,
      what: this.#what,
      verticesOf: (namespace, key) =>
        [false, true].flatMap(flat => places.get(nodeId({ kind: 'image', namespace, key, flat })) ?? []),
    }
  }

  #addNode(node: Node, root: boolean): number {
    return this.#add(nodeId(node), node, { root, below: [] })
  }

  #addFile(what: StoredFile, file: FileBytes): void {
    this.#add(fileId(what), what, { root: false, below: [], file })
  }

  #add(id: string, what: Node | StoredFile, vertex: Growing): number {
    const place = this.#vertices.push(vertex) - 1
    this.#what.push(what)
    this.#places.set(id, place)
    return place
  }

  /** Where a node is; `undefined` when there is no record of it. */
  #placeOf(node: Node): number | undefined {
    const whole = this.#places.get(nodeId({ ...node, flat: false }))
    if (!node.flat || whole === undefined) return whole
    // A root is kept in full as long as it is there, so that somebody keeps it flat adds nothing.
    if (this.#vertices[whole]?.root) return whole
    return this.#places.get(nodeId(node)) ?? this.#addNode(node, false)
  }

  #keepBlob(place: number, digest: Digest): void {
    this.#keep(place, fileId({ kind: 'blob-file', key: digest }))
  }

  #keep(place: number, id: string): void {
    const file = this.#places.get(id)
    if (file !== undefined) this.#vertices[place]?.below.push(file)
  }
}

const fileId = ({ kind, key }: StoredFile): string => `${kind}:${key}`
