import path from 'node:path'
import { FsLayout } from '../content/fs-layout.ts'
import { type ContentFiles, contentFiles, type FileBytes } from '../content/fs-usage.ts'
import { NodeTable } from '../gc/node-table.ts'
import { imageRecords } from '../images/store.ts'
import type { ImageRecord } from '../images/types.ts'
import { decode, readIngestRecord } from '../metadata/codec.ts'
import { type Collectible, type Node, recordsOf } from '../metadata/collectible.ts'
import type { Database } from '../metadata/database.ts'
import type { View } from '../metadata/kv.ts'
import { integers } from '../numbers.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import { DigestTable } from '../oci/digest-table.ts'
import type { AbortOptions } from '../options.ts'
import { Pace } from '../pace.ts'
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
  /** Places plus 1 of nodes, by their numbers twice, and 1 more for those that are kept flat. */
  readonly #nodes = new NodeTable()
  readonly #nodePlaces = integers()
  /** Places plus 1 of blobs, by the numbers of their digests. */
  readonly #digests = new DigestTable()
  readonly #blobPlaces = integers()
  readonly #ingestPlaces = new Map<string, number>()
  /** What records have said that they refer to: a place, and the node as in `#nodePlaces`, by turns. */
  readonly #references = integers()
  #referenceCount = 0
  /** The places of those who must be asked. */
  readonly #silent: number[] = []

  constructor(layout: FsLayout, files: ContentFiles) {
    this.#layout = layout
    for (const [digest, size] of files.blobs) {
      const place = this.#addFile({ kind: 'blob-file', key: digest }, size)
      this.#blobPlaces.set(this.#digests.add(digest), place + 1)
    }
    for (const [name, size] of files.ingests)
      this.#ingestPlaces.set(name, this.#addFile({ kind: 'ingest-file', key: name }, size))
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
        if (scanned.references) this.#noteReferences(place, scanned.references)
        else this.#silent.push(place)
        if (pace.due) await pace.rest()
      }
    }
    for (const [parent, child] of parents) {
      const place = this.#known(parent)
      if (place !== undefined) this.#keep(place, child)
    }
  }

  /** Flat nodes join those who must be asked while these are gone through. */
  async addEdges(
    view: View,
    collectibles: ReadonlyMap<string, Collectible>,
    options: AbortOptions,
  ): Promise<void> {
    for (let at = 0; at < this.#referenceCount; at += 2)
      this.#keep(this.#references.get(at), this.#placeOf(this.#references.get(at + 1)))
    const pace = new Pace(options)
    for (const place of this.#silent) {
      const node = this.#what[place]
      if (node === undefined || isFile(node)) continue
      if (pace.due) await pace.rest()
      for (const child of (await collectibles.get(node.kind)?.references(view, node)) ?? [])
        this.#keep(place, this.#placeOf(this.#visitOf(child)))
    }
    for (const [place, node] of this.#what.entries()) {
      if (isFile(node)) continue
      if (node.kind === 'content' && isDigest(node.key)) this.#keepBlob(place, node.key)
    }
  }

  async addIngests(view: View, options: AbortOptions): Promise<void> {
    for await (const { entry, parsed } of recordsOf(view, 'ingest', options)) {
      const { backendRef, shared, expected } = decode(entry.key, entry.value, readIngestRecord)
      const { namespace, ref } = parsed
      const place = this.#known({ kind: 'ingest', namespace, key: ref })
      if (place === undefined) continue
      this.#keep(place, this.#ingestPlaces.get(path.basename(this.#layout.ingest(backendRef))))
      // The bytes that it will become are those of this blob, whoever has a record of it.
      if (shared && expected !== undefined) this.#keepBlob(place, expected)
    }
  }

  result(): Pick<StoreGraph, 'graph' | 'what' | 'verticesOf'> {
    return {
      graph: this.#vertices,
      what: this.#what,
      verticesOf: (namespace, key) =>
        [false, true].flatMap(flat => this.#known({ kind: 'image', namespace, key, flat }) ?? []),
    }
  }

  #addNode(node: Node, root: boolean): number {
    const place = this.#add(node, { root, below: [] })
    this.#nodePlaces.set(this.#visitOf(node), place + 1)
    return place
  }

  #addFile(what: StoredFile, file: FileBytes): number {
    return this.#add(what, { root: false, below: [], file })
  }

  #add(what: Node | StoredFile, vertex: Growing): number {
    this.#what.push(what)
    return this.#vertices.push(vertex) - 1
  }

  #noteReferences(place: number, references: readonly Node[]): void {
    for (const node of references) {
      this.#references.set(this.#referenceCount++, place)
      this.#references.set(this.#referenceCount++, this.#visitOf(node))
    }
  }

  /** The number of a node, which is given one if it has none, twice; and 1 more for one that is kept flat. */
  #visitOf(node: Node): number {
    return this.#nodes.add(node) * 2 + (node.flat ? 1 : 0)
  }

  #known(node: Node): number | undefined {
    return this.#knownVisit(this.#visitOf(node))
  }

  #knownVisit(visit: number): number | undefined {
    const place = this.#nodePlaces.get(visit)
    return place === 0 ? undefined : place - 1
  }

  /** Where a node is; `undefined` when there is no record of it. */
  #placeOf(visit: number): number | undefined {
    const isFlat = visit % 2 === 1
    const whole = this.#knownVisit(isFlat ? visit - 1 : visit)
    if (!isFlat || whole === undefined) return whole
    // A root is kept in full as long as it is there, so that somebody keeps it flat adds nothing.
    if (this.#vertices[whole]?.root) return whole
    const known = this.#knownVisit(visit)
    if (known !== undefined) return known
    const place = this.#addNode({ ...this.#nodes.node(visit >> 1), flat: true }, false)
    this.#silent.push(place)
    return place
  }

  #keepBlob(place: number, digest: Digest): void {
    const number = this.#digests.find(digest)
    if (number >= 0) this.#keep(place, this.#blobPlaces.get(number) - 1)
  }

  #keep(place: number, file: number | undefined): void {
    if (file !== undefined) this.#vertices[place]?.below.push(file)
  }
}
