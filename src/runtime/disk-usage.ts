import type { FileBytes } from '../content/fs-usage.ts'
import type { ImageRecord } from '../images/types.ts'
import type { Digest } from '../oci/digest.ts'
import { freedAlone } from './dominators.ts'
import { minus, noBytes, plus, Reach } from './reach-graph.ts'
import { isFile, type StoreGraph } from './store-graph.ts'

/** What one image, or a set of images, takes. In bytes, as files have them. */
export interface SetUsage {
  /** All blobs reachable from it that are here, each once. */
  readonly logical: number
  /** Those of them that no other image reaches. */
  readonly unique: number
  /** Those that another image reaches too, in this or another namespace; `logical` is the sum of both. */
  readonly shared: number
  /** What the next collection would free because it is gone; less than `unique` where leases or labels keep blobs. */
  readonly freed: number
}

/** What an image takes. */
export interface ImageUsage extends SetUsage {
  readonly name: string
  readonly digest: Digest
  /** True: it has expired and nothing keeps it, so it goes with the next collection; all its bytes count as garbage. */
  readonly expired: boolean
}

/** A part of the store. */
export interface PartUsage extends FileBytes {
  /** What of it the next collection frees. */
  readonly garbage: number
}

/** The parts of a store besides the bytes unique to its images; together with these they are all that lies on disk. */
export interface Parts {
  /** Blobs that several images reach, one of them in this namespace. */
  readonly shared: PartUsage
  /** Blobs of this namespace that only leases, ingests and labels keep. */
  readonly held: PartUsage
  /** Blobs that nothing of this namespace keeps, and something of another does. */
  readonly elsewhere: PartUsage
  /** Unfinished writes of all namespaces. */
  readonly ingests: PartUsage
  /** Blobs that have a record, which nothing keeps. */
  readonly unreferenced: PartUsage
  /** Blobs and unfinished writes that no record names: what a crash left. */
  readonly orphans: PartUsage
  /** Files in the content directory that are no content, and the blocks of directories. */
  readonly others: PartUsage
  /** The records. */
  readonly metadata: PartUsage
}

/** What a store takes on disk, as one namespace sees it. */
export interface DiskUsage {
  /** In order of name. */
  readonly images: readonly ImageUsage[]
  /** All images of the namespace as one set. */
  readonly together: SetUsage
  readonly parts: Parts
  /** What `du` says of the content directory: of files with `--apparent-size`, and of blocks. */
  readonly content: FileBytes
  /** Content and records: the images' `unique` and all parts. */
  readonly total: PartUsage
}

/**
 * What the images and parts of a store take, so that it adds up: `unique` of the images and the parts are all bytes on disk.
 *
 * A blob is counted where it lies, once, whatever namespaces have it. The cost is linear in the graph, and in what the
 * images reach each for itself.
 *
 * @param metadata  what the records take on disk
 */
export function diskUsage(store: StoreGraph, metadata: FileBytes): DiskUsage {
  const { graph, files, namespace, images } = store
  const live = new Reach(graph).fromRoots()
  const reachers = countReachers(store, live)
  const alone = freedAlone(graph)
  const walker = new Walker(store)
  const ours = new Set<number>()
  const rows = images.map(image => {
    const vertices = store.verticesOf(namespace, image.name)
    const reached = walker.filesFrom(vertices)
    const isLive = vertices.some(at => live.has(at))
    if (isLive) for (const at of reached) ours.add(at)
    const freed = vertices.reduce((sum, at) => sum + (alone[at]?.bytes ?? 0), 0)
    const isUnique = (at: number): boolean => isLive && reachers[at] === 1
    return {
      name: image.name,
      digest: image.target.digest,
      expired: !isLive,
      ...sums(store, reached, isUnique, freed),
    }
  })
  const parts = {
    ...partsOf(store, { live, reachers, ours }),
    metadata: { ...metadata, garbage: 0 },
  }
  return {
    images: rows,
    together: setUsage(store, images),
    parts,
    content: files.total,
    total: { ...plus(files.total, metadata), garbage: garbageOf(parts) },
  }
}

/** What a set of images of a namespace takes, and what comes free when all of them are removed. */
export function setUsage(store: StoreGraph, images: readonly Pick<ImageRecord, 'name'>[]): SetUsage {
  const { graph, namespace } = store
  const chosen = images.flatMap(({ name }) => store.verticesOf(namespace, name))
  const live = new Reach(graph).fromRoots()
  const set = new Set(chosen.filter(at => live.has(at)))
  const others = store.what.flatMap((what, at) =>
    what.kind === 'image' && live.has(at) && !set.has(at) ? [at] : [],
  )
  const byOthers = new Reach(graph).from(others)
  const reached = new Walker(store).filesFrom(chosen)
  const freed = minus(live.kept, new Reach(graph, chosen).fromRoots().kept).bytes
  return sums(store, reached, at => set.size > 0 && live.has(at) && !byOthers.has(at), freed)
}

/** By how many images that are kept each vertex is reached; of all namespaces. */
function countReachers(store: StoreGraph, live: Reach): Int32Array {
  const counts = new Int32Array(store.graph.length)
  const walker = new Walker(store)
  for (const [at, what] of store.what.entries()) {
    // An image that is kept in full and flat is one image; its second vertex follows from the first.
    if (what.kind !== 'image' || isFile(what) || what.flat || !live.has(at)) continue
    for (const file of walker.filesFrom(store.verticesOf(what.namespace, what.key ?? '')))
      counts[file] = (counts[file] ?? 0) + 1
  }
  return counts
}

/** Walks again and again over one graph without forgetting anything in between but where it was. */
class Walker {
  readonly #store: StoreGraph
  readonly #seen: Int32Array
  #walk = 0

  constructor(store: StoreGraph) {
    this.#store = store
    this.#seen = new Int32Array(store.graph.length)
  }

  /** The files that are reachable from vertices, whether these are kept or not. */
  filesFrom(starts: readonly number[]): readonly number[] {
    const walk = ++this.#walk
    const files: number[] = []
    const stack = [...starts]
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (this.#seen[at] === walk) continue
      this.#seen[at] = walk
      const vertex = this.#store.graph[at]
      if (vertex?.file) files.push(at)
      for (const below of vertex?.below ?? []) stack.push(below)
    }
    return files
  }
}

function sums(
  { graph }: StoreGraph,
  files: readonly number[],
  isUnique: (at: number) => boolean,
  freed: number,
): SetUsage {
  let [logical, unique] = [0, 0]
  for (const at of files) {
    const bytes = graph[at]?.file?.bytes ?? 0
    logical += bytes
    if (isUnique(at)) unique += bytes
  }
  return { logical, unique, shared: logical - unique, freed }
}

interface Found {
  readonly live: Reach
  readonly reachers: Int32Array
  /** Files that an image of the namespace reaches. */
  readonly ours: ReadonlySet<number>
}

/** Puts each file into one part; those that are unique to an image of the namespace are in none. */
function partsOf(store: StoreGraph, found: Found): Omit<Parts, 'metadata'> {
  const { graph, what, files } = store
  const keepers = keepersOf(store, found.live)
  const tally = new Map<string, PartUsage>()
  let all = noBytes
  for (const [at, { file }] of graph.entries()) {
    const subject = what[at]
    if (file === undefined || subject === undefined) continue
    all = plus(all, file)
    const part = partOf(subject.kind, keepers[at] ?? 0, found, at)
    const garbage = found.live.has(at) ? 0 : file.bytes
    const before = tally.get(part) ?? none
    tally.set(part, { ...plus(before, file), garbage: before.garbage + garbage })
  }
  const part = (name: string): PartUsage => tally.get(name) ?? none
  return {
    shared: part('shared'),
    held: part('held'),
    elsewhere: part('elsewhere'),
    ingests: part('ingests'),
    unreferenced: part('unreferenced'),
    orphans: part('orphans'),
    others: { ...minus(files.total, all), garbage: 0 },
  }
}

const none: PartUsage = { ...noBytes, garbage: 0 }

/** Who has a record that keeps a file: bits. */
const keeper = { recorded: 1, here: 2 } as const

function keepersOf({ graph, what, namespace }: StoreGraph, live: Reach): Uint8Array {
  const keepers = new Uint8Array(graph.length)
  for (const [at, { below }] of graph.entries()) {
    const subject = what[at]
    if (subject === undefined || isFile(subject)) continue
    const bits = keeper.recorded | (live.has(at) && subject.namespace === namespace ? keeper.here : 0)
    for (const child of below) keepers[child] = (keepers[child] ?? 0) | bits
  }
  return keepers
}

function partOf(kind: string, bits: number, { live, reachers, ours }: Found, at: number): string {
  if ((bits & keeper.recorded) === 0) return 'orphans'
  if (kind === 'ingest-file') return 'ingests'
  if (!live.has(at)) return 'unreferenced'
  if (ours.has(at)) return reachers[at] === 1 ? 'unique' : 'shared'
  return (bits & keeper.here) === 0 ? 'elsewhere' : 'held'
}

const garbageOf = (parts: Parts): number =>
  Object.values(parts).reduce((sum: number, part: PartUsage) => sum + part.garbage, 0)
