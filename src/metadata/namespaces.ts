import { changeLabels, keptLabels } from '../content/labels.ts'
import type { Labels, LabelsChange } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import { decode, readNamespaceRecord } from './codec.ts'
import type { Database } from './database.ts'
import type { Publisher } from './exchange.ts'
import type { View } from './kv.ts'
import { checkLabels, checkNamespace } from './labels.ts'
import { type Kind, kindPrefix, namespaceKey, namespacesPrefix, parseKey, recordsPrefix } from './schema.ts'

/** A namespace: a place for names that does not see those of others. */
export interface Namespace {
  readonly name: string
  readonly labels: Labels
}

/** All namespaces of a store. They also come into being with the first record that is written in them. */
export interface NamespaceManager {
  /**
   * @throws ALREADY_EXISTS  there is a namespace of that name
   * @throws INVALID_ARGUMENT  a name that is no identifier, or a label over its limit
   */
  create(name: string, labels?: Labels, options?: AbortOptions): Promise<Namespace>
  /** Its labels; those of a namespace that is absent are empty, as in containerd. */
  labels(name: string, options?: AbortOptions): Promise<Labels>
  /**
   * Changes labels, and makes the namespace when it is absent, as in containerd.
   *
   * @throws INVALID_ARGUMENT  a name that is no identifier, or a label over its limit
   */
  update(name: string, change: LabelsChange, options?: AbortOptions): Promise<Namespace>
  /** Every namespace, in order of name. */
  list(options?: AbortOptions): AsyncIterable<Namespace>
  /**
   * Removes a namespace that has neither images nor blobs; its leases and ingests go with it.
   *
   * @throws NOT_FOUND  no namespace of that name
   * @throws FAILED_PRECONDITION  it is not empty; the text says of what
   */
  delete(name: string, options?: AbortOptions): Promise<void>
}

/** What a `NamespaceStore` works on. */
export interface NamespaceStoreOptions {
  readonly database: Database
  readonly events?: Publisher | undefined
}

/** The namespace records. @see containerd core/metadata/namespaces.go */
export class NamespaceStore implements NamespaceManager {
  readonly #database: Database
  readonly #events: Publisher | undefined

  constructor({ database, events }: NamespaceStoreOptions) {
    this.#database = database
    this.#events = events
  }

  async create(name: string, labels: Labels = {}, options: AbortOptions = {}): Promise<Namespace> {
    const key = namespaceKey(checkNamespace(name))
    checkLabels(`namespace ${name}`, labels)
    const namespace = Object.freeze({ name, labels: keptLabels(labels) })
    await this.#database.update(async tx => {
      if ((await tx.get(key)) !== undefined) {
        throw new OrlopError('ALREADY_EXISTS', `namespace "${name}" already exists`)
      }
      tx.put(key, { labels: namespace.labels })
    }, options)
    this.#publish('create', namespace)
    return namespace
  }

  async labels(name: string, options: AbortOptions = {}): Promise<Labels> {
    const key = namespaceKey(checkNamespace(name))
    return this.#database.view(view => labelsAt(view, key, options))
  }

  async update(name: string, change: LabelsChange, options: AbortOptions = {}): Promise<Namespace> {
    const key = namespaceKey(checkNamespace(name))
    const namespace = await this.#database.update(async tx => {
      const labels = changeLabels(await labelsAt(tx, key), change)
      checkLabels(`namespace ${name}`, labels)
      tx.put(key, { labels })
      return Object.freeze({ name, labels })
    }, options)
    this.#publish('update', namespace)
    return namespace
  }

  async *list(options: AbortOptions = {}): AsyncGenerator<Namespace, void, undefined> {
    const found = await this.#database.view(async view => {
      const list: Namespace[] = []
      for await (const { key, value } of view.range(namespacesPrefix, options)) {
        const parsed = parseKey(key)
        if (parsed?.kind !== 'namespace') continue
        list.push(Object.freeze({ name: parsed.namespace, ...decode(key, value, readNamespaceRecord) }))
      }
      return list
    })
    yield* found
  }

  async delete(name: string, options: AbortOptions = {}): Promise<void> {
    const key = namespaceKey(checkNamespace(name))
    await this.#database.update(async tx => {
      if ((await tx.get(key)) === undefined) {
        throw new OrlopError('NOT_FOUND', `namespace "${name}" does not exist`)
      }
      const left = await whatIsLeft(tx, name)
      if (left.length > 0) {
        throw new OrlopError(
          'FAILED_PRECONDITION',
          `namespace "${name}" must be empty, but it still has ${left.join(', ')}; delete these first`,
        )
      }
      for await (const { key: record } of tx.range(recordsPrefix(name))) {
        // The sequence stays, so that a namespace of the same name never meets the ingests that this one left behind.
        if (parseKey(record)?.kind !== 'sequence') tx.delete(record)
      }
      tx.delete(key)
    }, options)
    this.#events?.publish({ namespace: name, topic: '/namespaces/delete', event: { name } })
  }

  #publish(what: 'create' | 'update', { name, labels }: Namespace): void {
    this.#events?.publish({ namespace: name, topic: `/namespaces/${what}`, event: { name, labels } })
  }
}

const labelsAt = async (view: View, key: string, options?: AbortOptions): Promise<Labels> => {
  const value = await view.get(key, options)
  return value === undefined ? Object.freeze({}) : decode(key, value, readNamespaceRecord).labels
}

const blocking: ReadonlyArray<readonly [Kind, string]> = [
  ['image', 'images'],
  ['content', 'blobs'],
]

const whatIsLeft = async (view: View, namespace: string): Promise<readonly string[]> => {
  const left: string[] = []
  for (const [kind, word] of blocking) {
    for await (const _ of view.range(kindPrefix(namespace, kind), { limit: 1 })) left.push(word)
  }
  return left
}
