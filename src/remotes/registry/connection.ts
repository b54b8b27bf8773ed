/** A client certificate with what signed it, and its key; both PEM text. */
export interface ClientCertificate {
  readonly cert: string
  readonly key: string
}

/** How to connect to a host, where that is not the usual way. */
export interface Connection {
  /** PEM texts of certificate authorities to trust besides Node's. */
  readonly ca?: readonly string[] | undefined
  /** Shown to a host that asks for one; of several with the same kind of key the first. */
  readonly certificates?: readonly ClientCertificate[] | undefined
  /** True: certificates are not checked. */
  readonly skipVerify?: boolean | undefined
  /** Until a connection stands, TLS included; milliseconds. */
  readonly connectMs?: number | undefined
}

/** The settings of `one` and of `other` together; where both say something that excludes the other, `other` counts. */
export function joinConnections(one: Connection, other: Connection | undefined): Connection {
  if (!other) return one
  const skipVerify = one.skipVerify === true || other.skipVerify === true
  const connectMs = other.connectMs ?? one.connectMs
  const ca = [...(one.ca ?? []), ...(other.ca ?? [])]
  const certificates = other.certificates ?? one.certificates
  return {
    ...(ca.length > 0 && { ca }),
    ...(certificates && { certificates }),
    ...(skipVerify && { skipVerify }),
    ...(connectMs !== undefined && { connectMs }),
  }
}

/**
 * What of a connection another origin may have, for redirects and token servers: whom to trust, and no certificate.
 *
 * A client certificate says who one is, as a password does; trust tells nothing.
 */
export const withoutIdentity = ({ certificates: _, ...trust }: Connection): Connection => trust
