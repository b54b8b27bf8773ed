import type { Node } from '../metadata/collectible.ts'
import { integers } from '../numbers.ts'
import { isDigest } from '../oci/digest.ts'
import { DigestTable } from '../oci/digest-table.ts'

/** The nodes of one kind and namespace. */
interface Group {
  readonly place: number
  readonly kind: string
  readonly namespace: string
  readonly digests: DigestTable
  /** The numbers of the digests' nodes, by the digests' own. */
  readonly ofDigests: ReturnType<typeof integers>
  /** Nodes whose key is no digest. */
  readonly keys: Map<string, number>
}

/**
 * Numbers for nodes, from 0 in the order in which they were added; flat or in full makes no difference.
 *
 * What a collection holds of each of a million records is then a few numbers in arrays, and no object.
 */
export class NodeTable {
  readonly #kinds = new Map<string, Map<string, Group>>()
  readonly #groups: Group[] = []
  /** Of each node its group, and where its key is: a digest's number, or -1 - a place in `#keys`. */
  readonly #groupOf = integers()
  readonly #keyOf = integers()
  readonly #keys: string[] = []
  #size = 0

  /** How many there are; their numbers are below it. */
  get size(): number {
    return this.#size
  }

  /** The number of a node; -1 when it was not added. */
  find({ kind, namespace, key }: Node): number {
    const group = this.#kinds.get(kind)?.get(namespace)
    if (group === undefined) return -1
    if (!isDigest(key)) return group.keys.get(key) ?? -1
    const digest = group.digests.find(key)
    return digest < 0 ? -1 : group.ofDigests.get(digest)
  }

  /** The number of a node, which is added if it was not. */
  add({ kind, namespace, key }: Node): number {
    const group = this.#kinds.get(kind)?.get(namespace) ?? this.#addGroup(kind, namespace)
    return isDigest(key) ? this.#addDigest(group, key) : this.#addKey(group, key)
  }

  /** The node with a number that there is, in full. */
  node(at: number): Node {
    const { kind, namespace, digests } = this.#group(this.#groupOf.get(at))
    const place = this.#keyOf.get(at)
    return { kind, namespace, key: place < 0 ? (this.#keys[-1 - place] ?? '') : digests.at(place) }
  }

  #addDigest(group: Group, key: Parameters<DigestTable['add']>[0]): number {
    const before = group.digests.size
    const digest = group.digests.add(key)
    if (digest < before) return group.ofDigests.get(digest)
    const number = this.#next(group, digest)
    group.ofDigests.set(digest, number)
    return number
  }

  #addKey(group: Group, key: string): number {
    const known = group.keys.get(key)
    if (known !== undefined) return known
    const number = this.#next(group, -this.#keys.push(key))
    group.keys.set(key, number)
    return number
  }

  #next(group: Group, place: number): number {
    const number = this.#size++
    this.#groupOf.set(number, group.place)
    this.#keyOf.set(number, place)
    return number
  }

  #group(at: number): Group {
    const group = this.#groups[at]
    if (group === undefined) throw new RangeError(`no node has the group ${at}`)
    return group
  }

  #addGroup(kind: string, namespace: string): Group {
    const place = this.#groups.length
    const group = {
      place,
      kind,
      namespace,
      digests: new DigestTable(),
      ofDigests: integers(),
      keys: new Map(),
    }
    const namespaces = this.#kinds.get(kind) ?? new Map<string, Group>()
    namespaces.set(namespace, group)
    this.#kinds.set(kind, namespaces)
    this.#groups.push(group)
    return group
  }
}
