import { createHash, type Hash, hash } from 'node:crypto'
import { OrlopError } from '../errors.ts'

declare const digestBrand: unique symbol

/** `<algorithm>:<lowercase hex>`, checked. Only `parseDigest` and a `Digester` make one. */
export type Digest = string & { readonly [digestBrand]: true }

/** The algorithms that a store can hold; sha256 is canonical. */
export type Algorithm = 'sha256' | 'sha384' | 'sha512'

/** All digests of the algorithms below, at one look: records are read by the hundred thousand. */
const whole = /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/

/** Length of a digest in bytes, by algorithm. */
export const digestSizes: Readonly<Record<Algorithm, number>> = { sha256: 32, sha384: 48, sha512: 64 }

/** True for the name of an algorithm that can be used here. */
export const isAlgorithm = (name: string): name is Algorithm => Object.hasOwn(digestSizes, name)

const shape = /^(?<algorithm>[a-z0-9]+(?:[.+_-][a-z0-9]+)*):(?<encoded>[a-zA-Z0-9=_-]+)$/

/**
 * A digest out of text.
 *
 * @throws INVALID_ARGUMENT  not `algorithm:encoded`, an algorithm not known, or not lowercase hex of its length
 * @see image-spec v1.1, descriptor.md, Digests
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text
  const { algorithm, encoded } = shape.exec(text)?.groups ?? {}
  if (algorithm === undefined || encoded === undefined) {
    throw new OrlopError('INVALID_ARGUMENT', `digest ${quote(text)}: not <algorithm>:<hex>`)
  }
  if (!isAlgorithm(algorithm)) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `digest ${quote(text)}: algorithm ${algorithm} is not supported (sha256, sha384, sha512 are)`,
    )
  }
  if (encoded.length !== digestSizes[algorithm] * 2 || !/^[0-9a-f]+$/.test(encoded)) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `digest ${quote(text)}: ${algorithm} needs ${digestSizes[algorithm] * 2} characters of lowercase hex`,
    )
  }
  return text as Digest
}

/** True when `text` is a digest that `parseDigest` takes. */
export const isDigest = (text: string): text is Digest => whole.test(text)

/** The algorithm of a digest. */
export const algorithmOf = (digest: Digest): Algorithm => digest.slice(0, digest.indexOf(':')) as Algorithm

/** The hex part of a digest. */
export const encodedOf = (digest: Digest): string => digest.slice(digest.indexOf(':') + 1)

/** The digest of bytes that are all in memory. In one call: the object of a hash costs more than the hash of a small file. */
export const digestOf = (bytes: Uint8Array | string, algorithm: Algorithm = 'sha256'): Digest =>
  `${algorithm}:${hash(algorithm, bytes, 'hex')}` as Digest

/** Hashes a stream, chunk by chunk. */
export class Digester {
  readonly algorithm: Algorithm
  #hash: Hash

  constructor(algorithm: Algorithm = 'sha256') {
    this.algorithm = algorithm
    this.#hash = createHash(algorithm)
  }

  /** Takes more bytes; a string counts as its UTF-8. */
  update(chunk: Uint8Array | string): this {
    this.#hash.update(chunk)
    return this
  }

  /** The digest of what was taken so far; more may be taken afterwards. */
  digest(): Digest {
    return `${this.algorithm}:${this.#hash.copy().digest('hex')}` as Digest
  }

  /** Another one that has taken the same bytes; the two go on apart. */
  copy(): Digester {
    const other = new Digester(this.algorithm)
    other.#hash = this.#hash.copy()
    return other
  }

  /** Forgets everything taken. */
  reset(): void {
    this.#hash = createHash(this.algorithm)
  }
}

const quote = (text: string): string => JSON.stringify(text.length > 160 ? `${text.slice(0, 160)}…` : text)
