import { asString, type JsonObject } from '../oci/json.ts'
import { readSources } from './sources.ts'
import { exactObject, invalid } from './strict.ts'
import type { SigstoreTrust } from './types.ts'

const keyNames = ['keyPath', 'keyPaths', 'keyData', 'keyDatas']

/** Of these a `sigstoreSigned` has exactly one. */
export const trustKeys: readonly string[] = [...keyNames, 'fulcio', 'pki']
/** Of these a `sigstoreSigned` has at most one. */
export const rekorKeys: readonly string[] = [
  'rekorPublicKeyPath',
  'rekorPublicKeyPaths',
  'rekorPublicKeyData',
  'rekorPublicKeyDatas',
]

/** Whom a `sigstoreSigned` believes. @throws INVALID_ARGUMENT */
export function readTrust(json: JsonObject, what: string): SigstoreTrust {
  const present = trustKeys.filter(name => Object.hasOwn(json, name))
  if (present.length !== 1)
    throw invalid(
      what,
      `exactly one of ${trustKeys.join(', ')} is needed, not ${present.join(' and ') || 'none'}`,
    )
  if (present[0] === 'fulcio') return readFulcio(json.fulcio, `${what}.fulcio`)
  if (present[0] === 'pki') return readPki(json.pki, `${what}.pki`)
  const keys = readSources(json, what, keyNames)
  if (keys === undefined) throw invalid(what, 'no key')
  return { kind: 'keys', keys }
}

function readFulcio(value: unknown, what: string): SigstoreTrust {
  const names = ['caPath', 'caData']
  const json = exactObject(value, what, ['oidcIssuer', 'subjectEmail'], names)
  const ca = readSources(json, what, names)
  if (ca === undefined) throw invalid(what, 'caPath or caData is needed')
  const oidcIssuer = notEmpty(json.oidcIssuer, `${what}.oidcIssuer`)
  return { kind: 'fulcio', ca, oidcIssuer, subjectEmail: notEmpty(json.subjectEmail, `${what}.subjectEmail`) }
}

function readPki(value: unknown, what: string): SigstoreTrust {
  const rootNames = ['caRootsPath', 'caRootsData']
  const intermediateNames = ['caIntermediatesPath', 'caIntermediatesData']
  const subjects = ['subjectEmail', 'subjectHostname'] as const
  const json = exactObject(value, what, [], [...rootNames, ...intermediateNames, ...subjects])
  const roots = readSources(json, what, rootNames)
  if (roots === undefined) throw invalid(what, 'caRootsPath or caRootsData is needed')
  const intermediates = readSources(json, what, intermediateNames)
  const named = subjects.filter(name => Object.hasOwn(json, name))
  if (named.length === 0) throw invalid(what, 'subjectEmail or subjectHostname is needed')
  const subject = Object.fromEntries(named.map(name => [name, notEmpty(json[name], `${what}.${name}`)]))
  return { kind: 'pki', roots, ...(intermediates && { intermediates }), ...subject }
}

const notEmpty = (value: unknown, what: string): string => {
  const text = asString(value, what)
  if (text === '') throw invalid(what, 'empty')
  return text
}
