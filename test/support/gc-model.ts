/**
 * What containerd's documents say of collection, in Maps and recursion: written from /docs/gc.md and the facts, and not from
 * the collector, so that the two can be compared.
 */

/** A blob or image of the model. */
export interface Labelled {
  labels: Record<string, string>
}

/** An image of the model. */
export interface ModelImage extends Labelled {
  target: string
}

/** A lease of the model; resources are `content <digest>`, `image <name>`, `ingest <ref>`. */
export interface ModelLease {
  expires: number | undefined
  flat: boolean
  readonly holds: Set<string>
}

/** An ingest of the model. */
export interface ModelIngest {
  expires: number | undefined
  /** The digest whose bytes it shares. */
  shares: string | undefined
  /** True: it has bytes of its own beneath. */
  bytes: boolean
}

/** A namespace of the model. */
export class ModelNamespace {
  readonly blobs = new Map<string, Labelled>()
  readonly images = new Map<string, ModelImage>()
  readonly leases = new Map<string, ModelLease>()
  readonly ingests = new Map<string, ModelIngest>()

  /** Removes what is unreachable at a time. */
  collect(now: number): void {
    const kept = new Set<string>()
    const flatly = new Set<string>()
    const keep = (thing: string, flat = false): void => {
      const done = flat ? flatly : kept
      if (done.has(thing)) return
      done.add(thing)
      const at = thing.indexOf(' ')
      const [kind, id] = [thing.slice(0, at), thing.slice(at + 1)]
      if (kind === 'content' && !flat) follow(this.blobs.get(id)?.labels)
      if (kind === 'image') {
        const image = this.images.get(id)
        if (image !== undefined) keep(`content ${image.target}`, flat)
        if (!flat) follow(image?.labels)
      }
      const shares = kind === 'ingest' ? this.ingests.get(id)?.shares : undefined
      if (shares !== undefined) keep(`content ${shares}`)
      if (flat) return
      for (const [digest, { labels }] of this.blobs) if (namesKeeper(labels, thing)) keep(`content ${digest}`)
      for (const [name, { labels }] of this.images) if (namesKeeper(labels, thing)) keep(`image ${name}`)
    }
    const follow = (labels: Record<string, string> = {}): void => {
      for (const [key, value] of Object.entries(labels)) {
        if (/^containerd\.io\/gc\.ref\.content(?:$|[./])/.test(key)) keep(`content ${value}`)
        if (/^containerd\.io\/gc\.ref\.image(?:$|[./])/.test(key)) keep(`image ${value}`)
      }
    }
    for (const lease of this.leases.values()) {
      if (lease.expires !== undefined && now > lease.expires) continue
      for (const held of lease.holds) keep(held, lease.flat && !held.startsWith('ingest '))
    }
    for (const [name, { labels }] of this.images) if (!isExpired(labels, now)) keep(`image ${name}`)
    for (const [ref, { expires }] of this.ingests) {
      if (expires !== undefined && now <= expires) keep(`ingest ${ref}`)
    }
    for (const [digest, { labels }] of this.blobs) {
      if (Object.keys(labels).some(key => key.startsWith('containerd.io/gc.root'))) keep(`content ${digest}`)
    }
    const isKept = (thing: string): boolean => kept.has(thing) || flatly.has(thing)
    for (const digest of this.blobs.keys()) if (!isKept(`content ${digest}`)) this.blobs.delete(digest)
    for (const name of this.images.keys()) if (!isKept(`image ${name}`)) this.images.delete(name)
    for (const ref of this.ingests.keys()) if (!isKept(`ingest ${ref}`)) this.ingests.delete(ref)
    for (const [id, { expires }] of this.leases) {
      if (expires !== undefined && now > expires) this.leases.delete(id)
    }
  }
}

/** A whole store: namespaces, and the bytes beneath. */
export class Model {
  readonly namespaces = new Map<string, ModelNamespace>()
  /** Digests of the blobs beneath, with their sizes. */
  readonly bytes = new Map<string, number>()
  now = 0

  namespace(name: string): ModelNamespace {
    const found = this.namespaces.get(name) ?? new ModelNamespace()
    this.namespaces.set(name, found)
    return found
  }

  collect(): void {
    const named = new Set<string | undefined>()
    for (const namespace of this.namespaces.values()) {
      namespace.collect(this.now)
      for (const digest of namespace.blobs.keys()) named.add(digest)
      for (const { shares } of namespace.ingests.values()) named.add(shares)
    }
    for (const digest of this.bytes.keys()) if (!named.has(digest)) this.bytes.delete(digest)
  }

  /** Every record, as `recordsIn` tells those of a store. */
  records(): string[] {
    return [...this.namespaces]
      .flatMap(([name, { blobs, images, leases, ingests }]) => [
        ...[...blobs.keys()].map(digest => `content ${name} ${digest}`),
        ...[...images.keys()].map(image => `image ${name} ${image}`),
        ...[...leases.keys()].map(id => `lease ${name} ${id}`),
        ...[...ingests.keys()].map(ref => `ingest ${name} ${ref}`),
      ])
      .sort()
  }

  /** How many ingests have bytes beneath. */
  openIngests(): number {
    const ingests = [...this.namespaces.values()].flatMap(({ ingests }) => [...ingests.values()])
    return ingests.filter(({ bytes }) => bytes).length
  }
}

const isExpired = (labels: Record<string, string>, now: number): boolean => {
  const text = labels['containerd.io/gc.expire']
  const time = text === undefined ? Number.NaN : Date.parse(text)
  return !Number.isNaN(time) && now > time
}

const namesKeeper = (labels: Record<string, string>, keeper: string): boolean =>
  Object.entries(labels).some(([key, value]) => {
    const [, kind] = /^containerd\.io\/gc\.bref\.(content|image)(?:$|[./])/.exec(key) ?? []
    return kind !== undefined && keeper === `${kind} ${value}`
  })
