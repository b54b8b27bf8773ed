import { CID } from 'multiformats/cid'
import { create, decode } from 'multiformats/hashes/digest'
import { OrlopError } from '../errors.ts'
import { type Algorithm, algorithmOf, type Digest, digestSizes, encodedOf, parseDigest } from './digest.ts'

/** Numbers of the multicodec table. @see https://github.com/multiformats/multicodec/blob/master/table.csv */
const codes = { sha256: 0x12, sha384: 0x20, sha512: 0x13 } as const satisfies Record<Algorithm, number>
const rawCodec = 0x55

/** A digest as a multihash: code, length and bytes. 34 bytes for sha256. */
export const toMultihash = (digest: Digest): Uint8Array => multihashOf(digest).bytes

/**
 * A digest out of a multihash.
 *
 * @throws INVALID_ARGUMENT  not a multihash, another hash than sha256, sha384 and sha512, or not of its length
 */
export function fromMultihash(bytes: Uint8Array): Digest {
  try {
    const { code, digest } = decode(bytes)
    return digestFrom(code, digest)
  } catch (cause) {
    throw wrong('multihash', cause)
  }
}

/** A digest as a CID of version 1, codec raw, in base32: `bafkrei…`. Names the same bytes on IPFS. */
export const toCid = (digest: Digest): string => CID.createV1(rawCodec, multihashOf(digest)).toString()

/**
 * A digest out of a CID, in base32, base36 or base58btc.
 *
 * @throws INVALID_ARGUMENT  not a CID, not version 1, a codec other than raw (its hash is then not one of the bytes
 *   alone), or a hash that `fromMultihash` refuses
 */
export function fromCid(text: string): Digest {
  try {
    const { version, code, multihash } = CID.parse(text)
    if (version !== 1) throw new Error(`version ${version}, expected 1`)
    if (code !== rawCodec) throw new Error(`codec 0x${code.toString(16)}, expected raw (0x55)`)
    return digestFrom(multihash.code, multihash.digest)
  } catch (cause) {
    throw wrong(`CID ${JSON.stringify(text.slice(0, 160))}`, cause)
  }
}

const multihashOf = (digest: Digest) =>
  create(codes[algorithmOf(digest)], Buffer.from(encodedOf(digest), 'hex'))

const digestFrom = (code: number, bytes: Uint8Array): Digest => {
  const algorithm = algorithms.find(name => codes[name] === code)
  if (algorithm === undefined)
    throw new Error(`hash 0x${code.toString(16)}, expected sha256, sha384 or sha512`)
  if (bytes.byteLength !== digestSizes[algorithm])
    throw new Error(`${bytes.byteLength} bytes, expected ${digestSizes[algorithm]} for ${algorithm}`)
  return parseDigest(`${algorithm}:${Buffer.from(bytes).toString('hex')}`)
}

const algorithms = ['sha256', 'sha384', 'sha512'] as const satisfies readonly Algorithm[]

const wrong = (what: string, cause: unknown): OrlopError =>
  new OrlopError('INVALID_ARGUMENT', `${what}: ${cause instanceof Error ? cause.message : cause}`, { cause })
