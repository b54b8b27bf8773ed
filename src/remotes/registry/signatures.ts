import { OrlopError } from '../../errors.ts'
import type {
  Signature,
  SignatureOptions,
  SignatureSink,
  SignatureSource,
  SimpleSignature,
} from '../../images/signature.ts'
import { sameSignature } from '../../images/signature.ts'
import type { Digest } from '../../oci/digest.ts'
import { parseReference, type Reference } from '../../oci/reference.ts'
import type { AbortOptions } from '../../options.ts'
import {
  type AttachedTo,
  type AttachTo,
  isSigstore,
  readAttachments,
  writeAttachments,
} from './attachments.ts'
import { checkWritable, type Lookaside } from './lookaside.ts'
import {
  loadRegistriesD,
  type RegistriesD,
  type RegistriesDPlaces,
  type SignaturePlaces,
  signaturePlaces,
} from './registries-d.ts'
import { findExtension, type RepositoryAt, readExtension, writeExtension } from './signature-extension.ts'

/** Options of `RegistryResolver.signatures`. */
export interface RegistrySignaturesOptions extends RegistriesDPlaces {
  /** True or false: as if registries.d said so of every image; absent: as it says. */
  readonly attachments?: boolean | undefined
  /** Base URL of the lookaside of images of which registries.d says nothing; default: a directory of this machine. */
  readonly lookaside?: string | undefined
}

/** What `RegistrySignatures` works with. */
export interface RegistrySignaturesParts {
  /** The repository of an image, mirrors and all. */
  repository(reference: string, options: AbortOptions): Promise<AttachedTo>
  readonly lookaside: Lookaside
  /** The endpoints of an image that may be pulled from or pushed to, in the order to ask them. */
  repositories(
    reference: Reference,
    to: 'pull' | 'push',
    options: AbortOptions,
  ): Promise<readonly RepositoryAt[]>
  /** Where to attach signatures; absent where nothing can be pushed. */
  readonly pusher?: AttachTo['pusher'] | undefined
}

/**
 * The signatures of images in registries, in all three places: kept by the registry itself (the extension
 * X-Registry-Supports-Signatures), or else in a lookaside; and attached in the repository, where registries.d says so.
 *
 * Places go by the name asked for. A registry is asked whether it has the extension only when signatures are required, and
 * once.
 */
export class RegistrySignatures implements SignatureSource, SignatureSink {
  readonly #parts: RegistrySignaturesParts
  readonly #options: RegistrySignaturesOptions
  #config: Promise<RegistriesD> | undefined
  readonly #extensions = new Map<string, URL | undefined>()

  constructor(parts: RegistrySignaturesParts, options: RegistrySignaturesOptions = {}) {
    this.#parts = parts
    this.#options = options
  }

  async signatures(
    reference: string,
    digest: Digest,
    { required = false, signal }: SignatureOptions = {},
  ): Promise<readonly Signature[]> {
    const parsed = parseReference(reference)
    const { lookaside, attachments } = await this.#places(parsed)
    const kept = required ? await this.#kept(parsed, digest, { signal }) : undefined
    const simple = kept ?? (await this.#parts.lookaside.read(lookaside, parsed.path, digest, { signal }))
    if (!attachments) return simple
    const repository = await this.#parts.repository(reference, { signal })
    return [...simple, ...(await readAttachments(repository, digest, { signal }))]
  }

  async putSignatures(
    reference: string,
    digest: Digest,
    signatures: readonly Signature[],
    options: AbortOptions = {},
  ): Promise<void> {
    await this.checkPlace(reference, signatures)
    const parsed = parseReference(reference)
    const sigstore = signatures.filter(isSigstore)
    const simple = signatures.filter(one => one.format === 'simple-signing')
    const { lookaside, repository, pusher } = this.#parts
    if (simple.length > 0 && !(await this.#keep(parsed, digest, simple, options))) {
      const { staging } = await this.#places(parsed)
      await lookaside.write(staging, parsed.path, digest, simple, options)
    }
    if (sigstore.length === 0 || !pusher) return
    const at = { repository: await repository(reference, options), pusher }
    await writeAttachments(at, reference, digest, sigstore, options)
  }

  async checkPlace(reference: string, signatures: readonly Signature[]): Promise<void> {
    const { staging, attachments } = await this.#places(parseReference(reference))
    const has = (format: Signature['format']): boolean => signatures.some(one => one.format === format)
    if (has('sigstore') && (!attachments || !this.#parts.pusher)) throw noAttachments(reference)
    if (has('simple-signing')) checkWritable(staging)
  }

  /** What the registry itself keeps; `undefined` when no endpoint has the extension. */
  async #kept(
    reference: Reference,
    digest: Digest,
    options: AbortOptions,
  ): Promise<readonly SimpleSignature[] | undefined> {
    const repositories = await this.#parts.repositories(reference, 'pull', options)
    const failures: unknown[] = []
    for (const at of repositories) {
      try {
        const origin = await this.#extension(at, options)
        if (origin) return await readExtension(at, origin, digest, options)
      } catch (error) {
        // A mirror that is down; the next endpoint may answer.
        options.signal?.throwIfAborted()
        failures.push(error)
      }
    }
    if (failures.length === repositories.length) throw failures[0]
    return undefined
  }

  /** False when the registry has no extension to keep signatures. */
  async #keep(
    reference: Reference,
    digest: Digest,
    signatures: readonly SimpleSignature[],
    options: AbortOptions,
  ): Promise<boolean> {
    const [at] = await this.#parts.repositories(reference, 'push', options)
    const origin = at && (await this.#extension(at, options))
    if (!at || !origin) return false
    const there = await readExtension(at, origin, digest, options)
    for (const signature of signatures) {
      if (!there.some(other => sameSignature(signature, other)))
        await writeExtension(at, origin, digest, signature, options)
    }
    return true
  }

  async #extension(at: RepositoryAt, options: AbortOptions): Promise<URL | undefined> {
    const { name, address, path } = at.endpoint.host
    const key = JSON.stringify([name, address, path])
    if (!this.#extensions.has(key)) this.#extensions.set(key, await findExtension(at, options))
    return this.#extensions.get(key)
  }

  /** Read once, whoever asks first; so no caller's signal is heard. */
  async #places(reference: Reference): Promise<SignaturePlaces> {
    this.#config ??= loadRegistriesD(this.#options)
    const { lookaside, attachments } = this.#options
    const places = signaturePlaces(await this.#config, reference, lookaside)
    return attachments === undefined ? places : { ...places, attachments }
  }
}

const noAttachments = (reference: string): OrlopError =>
  new OrlopError(
    'FAILED_PRECONDITION',
    `${reference}: there is no place for its sigstore signatures; set use-sigstore-attachments: true in registries.d, or leave signatures behind`,
  )
