import path from 'node:path'
import { FsStore } from '../content/fs-store.ts'
import type { ContentStore, InfoProvider, Provider } from '../content/types.ts'
import { hasCode, OrlopError } from '../errors.ts'
import type { Collector } from '../gc/collector.ts'
import { ImageRecords } from '../images/store.ts'
import type { ImageStore } from '../images/types.ts'
import type { SharingPolicy } from '../metadata/content-parts.ts'
import type { Database } from '../metadata/database.ts'
import { type DiffIdIndex, DiffIdRecords } from '../metadata/diff-ids.ts'
import type { Exchange } from '../metadata/exchange.ts'
import type { Gate } from '../metadata/gate.ts'
import type { LeaseManager, LeaseResources } from '../metadata/lease-types.ts'
import { openLevel } from '../metadata/level-kv.ts'
import { refuseDamaged } from '../metadata/level-log.ts'
import { openDatabase } from '../metadata/migrations.ts'
import type { NamespaceManager } from '../metadata/namespaces.ts'
import { Metadata } from '../metadata/scope.ts'
import type { AbortOptions } from '../options.ts'
import { collectorOf } from './gc.ts'
import { onDisk } from './on-disk.ts'
import { nameOwner, removeOwner, writeOwner } from './owner-file.ts'
import { giveReserve, takeReserve } from './reserve.ts'
import { layoutOf, makeRoot, type RootLayout } from './root.ts'

/** Where a store lies, and how it behaves. */
export interface RuntimeOptions {
  /** A directory; made, private to its user, where it is missing. */
  readonly root: string
  /** Whose bytes a namespace may take over instead of being given them; default `shared`, as in containerd. */
  readonly sharing?: SharingPolicy | undefined
  readonly now?: (() => Date) | undefined
}

/** The stores of one namespace; with a lease, what is written through them is held by it. */
export interface Scope {
  readonly namespace: string
  readonly content: ContentStore
  readonly images: ImageStore
  readonly leases: LeaseManager & LeaseResources
  /** Finds blobs by what they are without compression; absent where the records are another process's. */
  readonly diffIds?: DiffIdIndex
  /** The namespace's blobs as they lie on disk: a blob whose file is gone is absent here, and its size is the file's. */
  readonly disk: Provider & InfoProvider
  /** The same namespace, under a lease. */
  under(lease: string): Scope
}

/** How a scope is opened. */
export interface ScopeInit {
  readonly lease?: string | undefined
  /** The clock of image records: a fixed one makes them reproducible, as containerd's source-date-epoch does. */
  readonly now?: (() => Date) | undefined
}

/** What all namespaces share; for the verbs that work on the whole store. */
export interface RuntimeParts {
  /** Where the bytes are, of all namespaces. */
  readonly backend: FsStore
  readonly database: Database
  readonly events: Exchange
  readonly gate: Gate
  readonly now: () => Date
}

/**
 * A store under a root directory, opened by this process: blobs as files, records in LevelDB.
 *
 * ```ts
 * await using runtime = await Runtime.open({ root: '/var/lib/orlop' })
 * const { images } = runtime.scope('default')
 * ```
 */
export class Runtime implements AsyncDisposable {
  readonly root: string
  readonly namespaces: NamespaceManager
  readonly events: Exchange
  /** For what works on the store as a whole, such as checks and collections. */
  readonly parts: RuntimeParts
  /** Removes what nothing keeps, of all namespaces, when it is told to. */
  readonly gc: Collector
  readonly #metadata: Metadata

  private constructor(root: string, metadata: Metadata, parts: RuntimeParts) {
    this.root = root
    this.namespaces = metadata.namespaces
    this.events = metadata.events
    this.parts = parts
    this.#metadata = metadata
    this.gc = collectorOf({ ...parts, guard: () => refuseDamaged(layoutOf(root).metadata) })
  }

  /**
   * Opens the store under a root, or makes one.
   *
   * @throws INVALID_ARGUMENT  the root is empty
   * @throws UNAVAILABLE  another process has it open, or this one; the text says which
   * @throws FAILED_PRECONDITION  the root is a file, or was written by a newer orlop
   * @throws PERMISSION_DENIED  the root may not be written
   * @throws DATA_LOSS  the records are damaged
   */
  static async open(options: RuntimeOptions, { signal }: AbortOptions = {}): Promise<Runtime> {
    const { sharing: policy = 'shared', now = () => new Date() } = options
    if (options.root === '') throw new OrlopError('INVALID_ARGUMENT', 'root: empty; name a directory')
    // A later chdir must not move the store.
    const root = path.resolve(options.root)
    signal?.throwIfAborted()
    const layout = await makeRoot(root)
    const database = await open(layout)
    await writeOwner(layout.owner)
    const backend = new FsStore(layout.content, { now })
    const metadata = new Metadata({ database, backend, policy, now })
    const { events, gate } = metadata
    return new Runtime(root, metadata, { backend, database, events, gate, now })
  }

  /**
   * The stores of a namespace, which need not exist yet.
   *
   * @throws INVALID_ARGUMENT  a name that is no identifier
   */
  scope(namespace = 'default', { lease, now = this.parts.now }: ScopeInit = {}): Scope {
    const { database, events, backend } = this.parts
    const { content, leases } = this.#metadata.scope({ namespace, lease })
    return {
      namespace,
      content,
      leases,
      images: new ImageRecords({ database, events, namespace, lease, now }),
      diffIds: new DiffIdRecords(database, namespace),
      disk: onDisk(content, backend),
      under: id => this.scope(namespace, { lease: id, now }),
    }
  }

  /** Waits for the changes under way, then lets go of the root. */
  async close(): Promise<void> {
    await removeOwner(layoutOf(this.root).owner)
    await this.parts.database.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

async function open(layout: RootLayout): Promise<Database> {
  const { root, metadata, owner, reserve } = layout
  try {
    return await openOnFullDisk(metadata, reserve)
  } catch (error) {
    throw await nameOwner(error, root, owner)
  }
}

/** On a disk without a free byte the reserve makes room, so that something can be deleted. */
async function openOnFullDisk(metadata: string, reserve: string): Promise<Database> {
  try {
    const database = await openDatabase(await openLevel(metadata))
    await takeReserve(reserve)
    return database
  } catch (error) {
    if (!hasCode(error, 'RESOURCE_EXHAUSTED') || !(await giveReserve(reserve))) throw error
    return await openDatabase(await openLevel(metadata))
  }
}
