/** Annotation keys that orlop reads or writes. */
export const annotationKeys = {
  refName: 'org.opencontainers.image.ref.name',
  imageName: 'io.containerd.image.name',
  manifestSubject: 'io.containerd.manifest.subject',
} as const

/** Label keys with a meaning here; all are containerd's. */
export const labelKeys = {
  gcRoot: 'containerd.io/gc.root',
  /** Followed by a kind: what the object keeps. */
  gcRef: 'containerd.io/gc.ref.',
  gcRefContent: 'containerd.io/gc.ref.content',
  gcRefImage: 'containerd.io/gc.ref.image',
  gcBref: 'containerd.io/gc.bref',
  gcExpire: 'containerd.io/gc.expire',
  gcFlat: 'containerd.io/gc.flat',
  uncompressed: 'containerd.io/uncompressed',
  /** Followed by the registry's host name without port. */
  distributionSource: 'containerd.io/distribution.source.',
  namespaceShareable: 'containerd.io/namespace.shareable',
} as const
