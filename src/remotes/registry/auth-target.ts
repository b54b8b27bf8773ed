import type { Connection } from './connection.ts'
import { repositoryOf } from './scope.ts'

/** Who is asked, and for what. */
export interface AuthTarget {
  /** The registry as people know it. */
  readonly name: string
  /** Host and port as they are connected to; credentials are looked for by these, and shown to nothing else. */
  readonly address: string
  /** Where the request goes; what is learned is kept by this. */
  readonly origin: URL
  /** The first that speaks of a repository says whose credentials are wanted, where parts of a registry have their own. */
  readonly scopes: readonly string[]
  /** How that origin is connected to. */
  readonly connection?: Connection | undefined
}

/** Whose credential a request needs, as a key: the host's, or a part's of it. */
export const ownerOf = ({ address, scopes }: AuthTarget): string =>
  JSON.stringify([address, repositoryOf(scopes)])
