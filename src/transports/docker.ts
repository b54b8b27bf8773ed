import { OrlopError } from '../errors.ts'
import type { Signature, SignatureSink, SignatureSource } from '../images/signature.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { parseReference, type Reference, withDigest } from '../oci/reference.ts'
import { dockerScopes } from '../oci/scopes.ts'
import type { AbortOptions } from '../options.ts'
import type { Pusher, PusherOptions, RemoteRepository, Resolver, WritingResolver } from '../remotes/types.ts'
import { type DockerPlace, formatPlace } from './place.ts'
import type { Accepts, Destination, PolicyIdentity, PutOptions, Source } from './types.ts'

/** What reads images of registries. */
export interface RegistryReader extends Resolver {
  /** A repository to look around in; without it no referrers are found. */
  repository?(reference: string, options?: AbortOptions): Promise<RemoteRepository>
}

/**
 * An image of a registry, to read. No request is made yet; the resolver stays the caller's.
 *
 * @param signatures  knows where signatures are; without it there are none
 * @see containers/image docker
 */
export async function openDockerSource(
  place: DockerPlace,
  resolver: RegistryReader,
  signatures: SignatureSource | undefined,
  options: AbortOptions = {},
): Promise<Source> {
  const { reference } = place
  const parsed = parseReference(reference)
  const repository = await resolver.repository?.(reference, options)
  // Once: a tag may move, and what is copied is what was judged.
  let root: Promise<Descriptor> | undefined
  return {
    place: formatPlace(place),
    blobs: repository ?? (await resolver.fetcher(reference, options)),
    resolve: again => {
      root ??= resolver.resolve(reference, again)
      return root
    },
    identity: identityOf(parsed),
    origin: { registry: parsed.domain, repository: parsed.path },
    ...(signatures && {
      signatures: (manifest: Digest, asked?: AbortOptions) =>
        signatures.signatures(reference, manifest, asked),
    }),
    ...(repository && { referrers: ({ digest }, asked) => all(repository.referrers(digest, asked)) }),
    [Symbol.asyncDispose]: async () => undefined,
  }
}

const identityOf = (reference: Reference): PolicyIdentity => ({
  transport: 'docker',
  scopes: dockerScopes(reference),
  reference: reference.digest ? withDigest(reference, reference.digest) : reference,
})

async function all<T>(source: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = []
  for await (const one of source) found.push(one)
  return found
}

/** What `openDockerDestination` may be told. */
export interface DockerDestinationOptions extends PusherOptions {
  /** Where signatures go; without it they are not taken. */
  readonly signatures?: SignatureSink | undefined
  /** True: layers that a licence keeps from being distributed are pushed too. */
  readonly nonDistributable?: boolean | undefined
}

/**
 * A repository of a registry, to write an image to. Its tag is moved when all that it leads to is there.
 *
 * @throws FAILED_PRECONDITION  there is no host to push to
 */
export async function openDockerDestination(
  place: DockerPlace,
  resolver: WritingResolver,
  options: DockerDestinationOptions = {},
): Promise<Destination> {
  const pusher = await resolver.pusher(place.reference, options)
  return new DockerDestination(place, pusher, options)
}

class DockerDestination implements Destination {
  readonly accepts: Accepts
  readonly moving = 'uploading'
  readonly place: string
  readonly blobs: Pusher
  readonly putSignatures?: NonNullable<Destination['putSignatures']>
  readonly #place: DockerPlace

  constructor(place: DockerPlace, pusher: Pusher, options: DockerDestinationOptions) {
    const { signatures: sink, nonDistributable = false } = options
    this.accepts = {
      formats: ['oci', 'docker'],
      indexes: true,
      referrers: true,
      layers: 'gzip',
      ...(!nonDistributable && { foreign: 'urls' }),
    }
    this.place = formatPlace(place)
    this.blobs = pusher
    this.#place = place
    if (sink)
      this.putSignatures = (manifest: Digest, signatures: readonly Signature[], asked?: AbortOptions) =>
        sink.putSignatures(place.reference, manifest, signatures, asked)
  }

  async put(root: Descriptor, { referrers = [], signal }: PutOptions = {}): Promise<void> {
    const { reference, nameless = false } = this.#place
    const { digest } = parseReference(reference)
    if (digest !== undefined && digest !== root.digest)
      throw new OrlopError('FAILED_PRECONDITION', `${this.place}: what was copied is ${root.digest}`)
    if (!nameless && digest === undefined) await this.blobs.tag(reference, root, { signal })
    for (const referrer of referrers) await this.blobs.enlist(referrer, { signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
