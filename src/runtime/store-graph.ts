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
import { bytes, integers } from '../numbers.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import { DigestTable } from '../oci/digest-table.ts'
import type { AbortOptions } from '../options.ts'
import { Pace } from '../pace.ts'
import type { Graph, Vertex } from './reach-graph.ts'

/** What a file of the content directory is. */
export interface StoredFile {
  readonly kind: 'blob-file' | 'ingest-file'
}

/** What a record is; only images are told apart by their names. */
export type StoredRecord = Omit<Node, 'key'> & { readonly key?: string }

/** The records and files of a store at one moment, as the collector sees them; and the images of one namespace. */
export interface StoreGraph {
  readonly namespace: string
  /** In order of name. */
  readonly images: readonly ImageRecord[]
  readonly graph: Graph
  /** What each vertex is, by its place. */
  readonly what: readonly (StoredRecord | StoredFile)[]
  /** The vertices of an image: most have one; an expired one has another for those who keep only its target. */
  verticesOf(namespace: string, image: string): readonly number[]
  readonly files: Pick<ContentFiles, 'total'>
}

/** True for a file, false for a record. */
export const isFile = (what: StoredRecord | StoredFile): what is StoredFile =>
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
  const builder = new Builder(new FsLayout(content))
  const total = builder.addFiles(await contentFiles(content, options))
  return database.view(async view => {
    await builder.addRecords(view, collectibles, now(), options)
    await builder.addEdges(view, new Map(collectibles.map(one => [one.kind, one])), options)
    await builder.addIngests(view, options)
    const images: ImageRecord[] = []
    for await (const image of imageRecords(view, namespace, options)) images.push(image)
    return { namespace, images, files: { total }, ...builder.result() }
  })
}

/** Makes a graph out of what is found bit by bit, of a million records if need be: what it holds of each are numbers. */
class Builder {
  readonly #layout: FsLayout
  /** What each place is, and its bytes; files come first. */
  readonly #what: Array<StoredRecord | StoredFile> = []
  readonly #files: FileBytes[] = []
  /** 1 for the places of roots. */
  readonly #roots = bytes()
  /** Two places, the second kept by the first, by turns. */
  readonly #edges = integers()
  #edgeCount = 0
  readonly #nodes = new NodeTable()
  /** By the numbers of nodes twice, and 1 more for those that are kept flat, their places plus 1; and the other way about. */
  readonly #nodePlaces = integers()
  readonly #visits = integers()
  /** Places plus 1 of blobs, by the numbers of their digests. */
  readonly #digests = new DigestTable()
  readonly #blobPlaces = integers()
  readonly #ingestPlaces = new Map<string, number>()
  /** What records have said that they refer to: a place, and the node as in `#nodePlaces`, by turns. */
  readonly #references = integers()
  #referenceCount = 0
  /** The places of those who must be asked. */
  readonly #silent: number[] = []
  /** Each kind of record, of each namespace, once. */
  readonly #kinds = new Map<string, StoredRecord>()

  constructor(layout: FsLayout) {
    this.#layout = layout
  }

  /** Before all else. @returns the whole */
  addFiles({ blobs, ingests, total }: ContentFiles): FileBytes {
    for (const [digest, size] of blobs)
      this.#blobPlaces.set(this.#digests.add(digest), this.#addFile(blobFile, size) + 1)
    for (const [name, size] of ingests) this.#ingestPlaces.set(name, this.#addFile(ingestFile, size))
    return total
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
        const place = this.#addNode(scanned.node)
        if (scanned.root !== undefined) this.#roots.set(place, 1)
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
      const node = this.#nodeAt(place)
      if (pace.due) await pace.rest()
      for (const child of (await collectibles.get(node.kind)?.references(view, node)) ?? [])
        this.#keep(place, this.#placeOf(this.#visitOf(child)))
    }
    for (let place = this.#files.length; place < this.#what.length; place++) {
      const { kind, key } = this.#nodeAt(place)
      if (kind === 'content' && isDigest(key)) this.#keepBlob(place, key)
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
      graph: this.#graph(),
      what: this.#what,
      verticesOf: (namespace, key) =>
        [false, true].flatMap(flat => this.#known({ kind: 'image', namespace, key, flat }) ?? []),
    }
  }

  #graph(): Graph {
    const ends = new Int32Array(this.#what.length)
    for (let at = 0; at < this.#edgeCount; at += 2) {
      const from = this.#edges.get(at)
      ends[from] = (ends[from] ?? 0) + 1
    }
    // Of their length from the start: arrays that grow have room for many more.
    const vertices = this.#what.map((_, place): Vertex & { readonly below: number[] } => {
      const root = this.#roots.get(place) === 1
      const below = new Array<number>(ends[place] ?? 0).fill(0)
      const file = this.#files[place]
      return file ? { root, below, file } : { root, below }
    })
    for (let at = this.#edgeCount - 2; at >= 0; at -= 2) {
      const from = this.#edges.get(at)
      const place = (ends[from] ?? 0) - 1
      ends[from] = place
      const below = vertices[from]?.below
      if (below) below[place] = this.#edges.get(at + 1)
    }
    return vertices
  }

  #addNode(node: Node): number {
    const place = this.#what.push(this.#recordOf(node)) - 1
    const visit = this.#visitOf(node)
    this.#nodePlaces.set(visit, place + 1)
    this.#visits.set(place, visit)
    return place
  }

  #recordOf({ kind, namespace, key, flat = false }: Node): StoredRecord {
    if (kind === 'image') return { kind, namespace, key, flat }
    const id = `${kind} ${namespace} ${flat}`
    const known = this.#kinds.get(id) ?? { kind, namespace, flat }
    this.#kinds.set(id, known)
    return known
  }

  #addFile(what: StoredFile, file: FileBytes): number {
    this.#files.push(file)
    return this.#what.push(what) - 1
  }

  #nodeAt(place: number): Node {
    const visit = this.#visits.get(place)
    const node = this.#nodes.node(visit >> 1)
    return visit % 2 === 0 ? node : { ...node, flat: true }
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
    if (this.#roots.get(whole) === 1) return whole
    const known = this.#knownVisit(visit)
    if (known !== undefined) return known
    const place = this.#addNode({ ...this.#nodes.node(visit >> 1), flat: true })
    this.#silent.push(place)
    return place
  }

  #keepBlob(place: number, digest: Digest): void {
    const number = this.#digests.find(digest)
    if (number >= 0) this.#keep(place, this.#blobPlaces.get(number) - 1)
  }

  #keep(place: number, kept: number | undefined): void {
    if (kept === undefined) return
    this.#edges.set(this.#edgeCount++, place)
    this.#edges.set(this.#edgeCount++, kept)
  }
}

const blobFile: StoredFile = { kind: 'blob-file' }
const ingestFile: StoredFile = { kind: 'ingest-file' }
