import { asArray, asObject, asString, type JsonObject } from '../oci/json.ts'
import { defaultIdentity, readIdentity } from './identity.ts'
import { readTrust, rekorKeys, trustKeys } from './sigstore-trust.ts'
import { readSources } from './sources.ts'
import { exactObject, invalid } from './strict.ts'
import type { IdentityMatch, KeyType, Requirement, SignedBy, SigstoreSigned } from './types.ts'

/** The requirements of one scope; there must be some. @throws INVALID_ARGUMENT */
export function readRequirements(value: unknown, what: string): readonly Requirement[] {
  const requirements = asArray(value, what, readRequirement)
  if (requirements.length === 0)
    throw invalid(what, 'the list of requirements is empty; write {"type": "reject"}')
  return requirements
}

function readRequirement(value: unknown, what: string): Requirement {
  const { type } = asObject(value, what)
  switch (type) {
    case 'insecureAcceptAnything':
    case 'reject':
      exactObject(value, what, ['type'])
      return { type }
    case 'signedBy':
      return readSignedBy(value, what)
    case 'sigstoreSigned':
      return readSigstoreSigned(value, what)
    case 'signedBaseLayer': {
      const { baseLayerIdentity } = exactObject(value, what, ['type', 'baseLayerIdentity'])
      return { type, baseLayerIdentity: readIdentity(baseLayerIdentity, `${what}.baseLayerIdentity`) }
    }
  }
  throw invalid(what, `unknown type ${JSON.stringify(type ?? null).slice(0, 100)}`)
}

const keyTypes: readonly KeyType[] = ['GPGKeys', 'signedByGPGKeys', 'X509Certificates', 'signedByX509CAs']

function readSignedBy(value: unknown, what: string): SignedBy {
  const names = ['keyPath', 'keyPaths', 'keyData']
  const json = exactObject(value, what, ['type', 'keyType'], [...names, 'signedIdentity'])
  const text = asString(json.keyType, `${what}.keyType`)
  const keyType = keyTypes.find(one => one === text)
  if (keyType === undefined)
    throw invalid(`${what}.keyType`, `${JSON.stringify(text)} is not one of ${keyTypes.join(', ')}`)
  const keys = readSources(json, what, names)
  if (keys === undefined) throw invalid(what, `one of ${names.join(', ')} is needed`)
  return { type: 'signedBy', keyType, keys, signedIdentity: readSignedIdentity(json, what) }
}

function readSigstoreSigned(value: unknown, what: string): SigstoreSigned {
  const names = [...trustKeys, ...rekorKeys, 'signedIdentity']
  const json = exactObject(value, what, ['type'], names)
  const trust = readTrust(json, what)
  const rekor = readSources(json, what, rekorKeys)
  if (trust.kind === 'fulcio' && !rekor) throw invalid(what, `fulcio needs one of ${rekorKeys.join(', ')}`)
  if (trust.kind === 'pki' && rekor) throw invalid(what, 'pki cannot be combined with a Rekor key')
  return {
    type: 'sigstoreSigned',
    trust,
    ...(rekor && { rekor }),
    signedIdentity: readSignedIdentity(json, what),
  }
}

const readSignedIdentity = (json: JsonObject, what: string): IdentityMatch =>
  Object.hasOwn(json, 'signedIdentity')
    ? readIdentity(json.signedIdentity, `${what}.signedIdentity`)
    : defaultIdentity
