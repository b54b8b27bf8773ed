import { isOrlopError, OrlopError } from '../errors.ts'
import { asObject, asString } from '../oci/json.ts'
import {
  formatReference,
  isNamePrefix,
  parseReference,
  type Reference,
  repositoryName,
} from '../oci/reference.ts'
import { exactObject, invalid } from './strict.ts'
import type { IdentityMatch } from './types.ts'

/** What applies when a requirement names no `signedIdentity`. */
export const defaultIdentity: IdentityMatch = Object.freeze({ type: 'matchRepoDigestOrExact' })

/** A `signedIdentity` of policy.json. @throws INVALID_ARGUMENT */
export function readIdentity(value: unknown, what: string): IdentityMatch {
  const { type } = asObject(value, what)
  switch (type) {
    case 'matchExact':
    case 'matchRepoDigestOrExact':
    case 'matchRepository':
      exactObject(value, what, ['type'])
      return { type }
    case 'exactReference':
      return { type, dockerReference: readReference(value, what) }
    case 'exactRepository': {
      const { dockerRepository } = exactObject(value, what, ['type', 'dockerRepository'])
      const text = asString(dockerRepository, `${what}.dockerRepository`)
      parseReference(text)
      return { type, dockerRepository: text }
    }
    case 'remapIdentity': {
      const { prefix, signedPrefix } = exactObject(value, what, ['type', 'prefix', 'signedPrefix'])
      return {
        type,
        prefix: asPrefix(prefix, `${what}.prefix`),
        signedPrefix: asPrefix(signedPrefix, `${what}.signedPrefix`),
      }
    }
  }
  throw invalid(what, `unknown type ${JSON.stringify(type ?? null).slice(0, 100)}`)
}

function readReference(value: unknown, what: string): string {
  const { dockerReference } = exactObject(value, what, ['type', 'dockerReference'])
  const text = asString(dockerReference, `${what}.dockerReference`)
  if (isNameOnly(parseReference(text)))
    throw invalid(`${what}.dockerReference`, `${JSON.stringify(text)} has neither a tag nor a digest`)
  return text
}

function asPrefix(value: unknown, what: string): string {
  const text = asString(value, what)
  if (isNamePrefix(text)) return text
  throw invalid(
    what,
    `${JSON.stringify(text.slice(0, 300))} is not host[:port][/path], without tag and digest`,
  )
}

/**
 * Whether a signature made for the name `signed` may vouch for an image asked for by the name `image`.
 *
 * The digests are not compared here: both were checked against the manifest itself.
 *
 * @param signed  out of the signature: nothing is true of it yet but who wrote it
 */
export function matchesIdentity(match: IdentityMatch, image: Reference | undefined, signed: string): boolean {
  const claimed = tryParse(signed)
  if (claimed === undefined) return false
  switch (match.type) {
    case 'exactReference':
      return isSame(parseReference(match.dockerReference), claimed)
    case 'exactRepository':
      return repositoryName(parseReference(match.dockerRepository)) === repositoryName(claimed)
  }
  if (image === undefined) return false
  switch (match.type) {
    case 'matchExact':
      return isSame(image, claimed)
    case 'matchRepository':
      return repositoryName(image) === repositoryName(claimed)
    case 'matchRepoDigestOrExact':
      return isSameOrDigest(image, claimed)
    case 'remapIdentity': {
      const remapped = remap(image, match.prefix, match.signedPrefix)
      return remapped !== undefined && isSameOrDigest(remapped, claimed)
    }
  }
}

const tryParse = (text: string): Reference | undefined => {
  try {
    return parseReference(text)
  } catch (error) {
    if (isOrlopError(error)) return undefined
    throw error
  }
}

const isNameOnly = ({ tag, digest }: Reference): boolean => tag === undefined && digest === undefined

const isSame = (a: Reference, b: Reference): boolean =>
  !isNameOnly(a) && !isNameOnly(b) && formatReference(a) === formatReference(b)

const isSameOrDigest = (image: Reference, claimed: Reference): boolean => {
  if (isNameOnly(claimed)) return false
  if (image.tag !== undefined) return isSame(image, claimed)
  return image.digest !== undefined && repositoryName(image) === repositoryName(claimed)
}

/** The name with another beginning; itself when it does not begin so, and nothing when what comes out is no full name. */
function remap(image: Reference, prefix: string, signedPrefix: string): Reference | undefined {
  const name = repositoryName(image)
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return image
  const text = signedPrefix + formatReference(image).slice(prefix.length)
  const remapped = tryParse(text)
  return remapped !== undefined && formatReference(remapped) === text ? remapped : undefined
}

/** Throws when `signed` may not vouch for `image`. @throws PERMISSION_DENIED */
export function checkIdentity(match: IdentityMatch, image: Reference | undefined, signed: string): void {
  if (matchesIdentity(match, image, signed)) return
  const [name, asked] = [
    JSON.stringify(signed.slice(0, 300)),
    image ? formatReference(image) : 'an image without a name',
  ]
  throw new OrlopError(
    'PERMISSION_DENIED',
    `it is for ${name}, which is not accepted for ${asked} (${match.type})`,
  )
}
