import type { Labels, LabelsChange } from '../../content/types.ts'
import type { Namespace, NamespaceManager } from '../../metadata/namespaces.ts'
import type { AbortOptions } from '../../options.ts'
import { Namespaces } from '../gen/containerd/services/namespaces/v1/namespace_pb.ts'
import type { Connection, Place } from './connection.ts'
import { mapChange } from './labels.ts'

/** The namespaces behind a socket: orlop's or containerd's. */
export class RemoteNamespaces implements NamespaceManager {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async create(name: string, labels: Labels = {}, options: AbortOptions = {}): Promise<Namespace> {
    const request = { namespace: { name, labels } }
    const { namespace } = await this.#connection.unary(
      Namespaces.method.create,
      request,
      within(name, options),
    )
    return { name, labels: namespace?.labels ?? {} }
  }

  async labels(name: string, options: AbortOptions = {}): Promise<Labels> {
    const { namespace } = await this.#connection.unary(Namespaces.method.get, { name }, options)
    return namespace?.labels ?? {}
  }

  async update(name: string, change: LabelsChange, options: AbortOptions = {}): Promise<Namespace> {
    const { paths, values } = mapChange('labels', change.labels, change.replace)
    if (paths.length > 0) {
      // containerd knows no path that replaces all; it does so where there is no path.
      const mask = change.replace ? [] : [...paths]
      const request = { namespace: { name, labels: values }, updateMask: { paths: mask } }
      await this.#connection.unary(Namespaces.method.update, request, within(name, options))
    }
    // containerd's answer is empty.
    return { name, labels: await this.labels(name, options) }
  }

  async *list(options: AbortOptions = {}): AsyncGenerator<Namespace> {
    const { namespaces } = await this.#connection.unary(Namespaces.method.list, {}, options)
    for (const { name, labels } of namespaces) yield { name, labels }
  }

  async delete(name: string, options: AbortOptions = {}): Promise<void> {
    await this.#connection.unary(Namespaces.method.delete, { name }, within(name, options))
  }
}

/** containerd publishes the events of some of these calls in the caller's namespace, and fails where there is none. */
const within = (namespace: string, { signal }: AbortOptions): Place & AbortOptions => ({ namespace, signal })
