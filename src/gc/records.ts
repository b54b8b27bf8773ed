import type { Node, Scanned } from '../metadata/collectible.ts'
import { bytes, doubles, integers } from '../numbers.ts'
import type { Visit } from './mark.ts'
import type { NodeTable } from './node-table.ts'

/** What is known of a node: bits. */
const isThere = 1
const hasReferences = 2
const hasSize = 4

/**
 * What the records of a view say of themselves, by the numbers of their nodes.
 *
 * In arrays of numbers: as objects, what 100,000 records say took 60 MB and more, most of which V8 had to copy while it grew.
 */
export class Records {
  readonly nodes: NodeTable
  /** The numbers of those that were added, in that order. */
  readonly #order = integers()
  #count = 0
  readonly #flags = bytes()
  readonly #sizes = doubles()
  readonly #created = doubles()
  /** The visits that references lead to, one list after the other, and where each node's begins and ends. */
  readonly #references = integers()
  #referenceCount = 0
  readonly #from = integers()
  readonly #to = integers()
  /** Why each root is one: a place among the reasons, of which there are few different ones; 0: it is none. */
  readonly #root = integers()
  readonly #reasons: string[] = ['']
  readonly #reasonPlaces = new Map<string, number>()
  readonly #expired = new Map<number, Date>()
  /** What a node keeps by the word of others. */
  readonly #kept = new Map<number, number[]>()

  constructor(nodes: NodeTable) {
    this.nodes = nodes
  }

  /** How many were added. */
  get count(): number {
    return this.#count
  }

  /** Adds a record; each node's once. @returns its number */
  add({ node, root, expiredAt, parents, references, size, createdAt }: Scanned): number {
    const at = this.nodes.add(node)
    this.#order.set(this.#count++, at)
    this.#flags.set(at, isThere | (references ? hasReferences : 0) | (size === undefined ? 0 : hasSize))
    if (size !== undefined) this.#sizes.set(at, size)
    this.#created.set(at, createdAt.getTime())
    if (root !== undefined) this.#root.set(at, this.#placeOf(root))
    if (expiredAt !== undefined) this.#expired.set(at, expiredAt)
    for (const parent of parents) this.#keep(this.nodes.add(parent), at)
    if (references) this.#refer(at, references)
    return at
  }

  /** The numbers of all that were added, in that order. */
  *numbers(): Generator<number, void, undefined> {
    for (let place = 0; place < this.#count; place++) yield this.#order.get(place)
  }

  /** True for the number of a record that was added. */
  has(at: number): boolean {
    return (this.#flags.get(at) & isThere) !== 0
  }

  /** Why a record is a root; `undefined`: it is none. */
  rootOf(at: number): string | undefined {
    const place = this.#root.get(at)
    return place === 0 ? undefined : this.#reasons[place]
  }

  /** When a record expired that was a root until then. */
  expiredAt(at: number): Date | undefined {
    return this.#expired.get(at)
  }

  /** Bytes of a blob. */
  sizeOf(at: number): number | undefined {
    return (this.#flags.get(at) & hasSize) === 0 ? undefined : this.#sizes.get(at)
  }

  createdAt(at: number): Date {
    return new Date(this.#created.get(at))
  }

  /** What the records of others say that a node keeps. */
  keptBy(node: Node): readonly Node[] {
    const kept = this.#kept.get(this.nodes.find(node))
    return kept?.map(at => this.nodes.node(at)) ?? []
  }

  /**
   * What a visit in full leads to in the view that was read; `undefined` where the record must be asked. There is nothing to
   * ask where there is no record, for all were read.
   */
  below(visit: Visit): Iterable<Visit> | undefined {
    const at = visit >> 1
    const flags = this.#flags.get(at)
    if ((flags & (isThere | hasReferences)) === isThere) return undefined
    const kept = this.#kept.get(at)
    const own = this.#references.slice(this.#from.get(at), this.#to.get(at))
    return kept === undefined ? own : [...kept.map(one => one << 1), ...own]
  }

  #refer(at: number, references: readonly Node[]): void {
    this.#from.set(at, this.#referenceCount)
    for (const node of references)
      this.#references.set(this.#referenceCount++, (this.nodes.add(node) << 1) | (node.flat ? 1 : 0))
    this.#to.set(at, this.#referenceCount)
  }

  #keep(parent: number, at: number): void {
    const list = this.#kept.get(parent)
    if (list === undefined) this.#kept.set(parent, [at])
    else list.push(at)
  }

  #placeOf(reason: string): number {
    const known = this.#reasonPlaces.get(reason)
    if (known !== undefined) return known
    const place = this.#reasons.push(reason) - 1
    this.#reasonPlaces.set(reason, place)
    return place
  }
}
