import { OrlopError } from '../errors.ts'
import { readDigest } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts'
import { asObject, asString, parseJson } from '../oci/json.ts'
import { checkIdentity } from './identity.ts'
import { exactObject, invalid } from './strict.ts'
import type { Claim, IdentityMatch } from './types.ts'

/** What a signature is over. */
export interface Payload {
  readonly digest: Digest
  /** As it was signed; not checked to be a name. */
  readonly reference: string
  readonly createdAt?: Date
}

/** Which of the two kinds of signature a payload must say it is, so that one cannot be shown as the other. */
export type PayloadType = 'atomic container signature' | 'cosign container image signature'

/**
 * A payload, read so that there is only one way to read it: every key that is not known, missing or there twice is refused.
 *
 * @throws INVALID_ARGUMENT  anything else
 * @see containers-signature(5)
 */
export function parsePayload(bytes: Uint8Array, type: PayloadType): Payload {
  const what = 'signed payload'
  const json = exactObject(parseJson(bytes, what), what, ['critical', 'optional'])
  const critical = exactObject(json.critical, `${what}.critical`, ['type', 'image', 'identity'])
  if (critical.type !== type) throw invalid(`${what}.critical.type`, `not ${JSON.stringify(type)}`)
  const image = exactObject(critical.image, `${what}.critical.image`, ['docker-manifest-digest'])
  const identity = exactObject(critical.identity, `${what}.critical.identity`, ['docker-reference'])
  const at = `${what}.critical`
  // cosign writes null when there is nothing; simple signing has no such form.
  const none = json.optional === null && type === 'cosign container image signature'
  const createdAt = none ? undefined : readTimestamp(json.optional, `${what}.optional`)
  return {
    digest: readDigest(image['docker-manifest-digest'], `${at}.image.docker-manifest-digest`),
    reference: asString(identity['docker-reference'], `${at}.identity.docker-reference`),
    ...(createdAt && { createdAt }),
  }
}

function readTimestamp(value: unknown, what: string): Date | undefined {
  const { creator, timestamp } = asObject(value, what)
  if (creator !== undefined && creator !== null) asString(creator, `${what}.creator`)
  if (timestamp === undefined || timestamp === null) return undefined
  if (typeof timestamp !== 'number' || !Number.isInteger(timestamp))
    throw invalid(`${what}.timestamp`, 'not a whole number')
  const date = new Date(timestamp * 1000)
  return Number.isNaN(date.getTime()) ? undefined : date
}

/**
 * Throws unless the payload is over this very manifest, under a name that may stand for the image's.
 *
 * @throws PERMISSION_DENIED
 */
export function checkPayload({ digest, reference }: Payload, image: Claim, match: IdentityMatch): void {
  if (digestOf(image.manifest, algorithmOf(digest)) !== digest)
    throw new OrlopError('PERMISSION_DENIED', `it is for ${digest}, another manifest`)
  checkIdentity(match, image.reference, reference)
}
