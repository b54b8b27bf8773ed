import type { KeyObject } from 'node:crypto'
import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import { type Certificate, parseCertificates } from './certificate.ts'
import { parsePublicKey } from './public-key.ts'
import { loadSources } from './sources.ts'
import type { SigstoreSigned, SigstoreTrust, Sources } from './types.ts'

/** The keys and certificates that a requirement names, read. */
export type SigstoreKeys = TrustedKeys | TrustedFulcio | TrustedPki

/** Some keys. */
export interface TrustedKeys {
  readonly kind: 'keys'
  readonly keys: readonly KeyObject[]
  /** Absent: no log is asked for. */
  readonly logs?: readonly KeyObject[]
}

/** Certificates of a moment, for one person, by an authority that asked who it is. */
export interface TrustedFulcio {
  readonly kind: 'fulcio'
  readonly roots: readonly Certificate[]
  readonly oidcIssuer: string
  readonly subjectEmail: string
  readonly logs: readonly KeyObject[]
}

/** Certificates of an authority, for one person or host. */
export interface TrustedPki {
  readonly kind: 'pki'
  readonly roots: readonly Certificate[]
  readonly intermediates: readonly Certificate[]
  readonly subjectEmail?: string | undefined
  readonly subjectHostname?: string | undefined
}

/**
 * Reads the keys and certificates of a requirement.
 *
 * @throws INVALID_ARGUMENT, NOT_FOUND  one that is none, or not there
 */
export async function loadSigstoreKeys(
  { trust, rekor }: Pick<SigstoreSigned, 'trust' | 'rekor'>,
  options: AbortOptions = {},
): Promise<SigstoreKeys> {
  const logs = rekor && (await logKeys(rekor, options))
  switch (trust.kind) {
    case 'keys':
      return {
        kind: 'keys',
        keys: await publicKeys(trust.keys, 'public key', options),
        ...(logs && { logs }),
      }
    case 'fulcio': {
      const { kind, oidcIssuer, subjectEmail } = trust
      const roots = await certificates(trust.ca, 'certificate of Fulcio', options)
      // Without a log nothing tells when a certificate of ten minutes was used; the parser refuses such a policy.
      return { kind, roots, oidcIssuer, subjectEmail, logs: logs ?? [] }
    }
    case 'pki':
      return loadPki(trust, options)
  }
}

async function loadPki(
  { roots, intermediates, subjectEmail, subjectHostname }: Extract<SigstoreTrust, { kind: 'pki' }>,
  options: AbortOptions,
): Promise<TrustedPki> {
  return {
    kind: 'pki',
    roots: await certificates(roots, 'root certificate', options),
    intermediates: intermediates
      ? await certificates(intermediates, 'intermediate certificate', options)
      : [],
    subjectEmail,
    subjectHostname,
  }
}

const publicKeys = async (
  sources: Sources,
  what: string,
  options: AbortOptions,
): Promise<readonly KeyObject[]> =>
  (await loadSources(sources, what, options)).map(bytes => parsePublicKey(bytes, what))

const certificates = async (
  sources: Sources,
  what: string,
  options: AbortOptions,
): Promise<readonly Certificate[]> =>
  (await loadSources(sources, what, options)).flatMap(bytes => parseCertificates(bytes, what))

async function logKeys(sources: Sources, options: AbortOptions): Promise<readonly KeyObject[]> {
  const logs = await publicKeys(sources, 'Rekor public key', options)
  if (logs.some(({ asymmetricKeyType }) => asymmetricKeyType !== 'ec'))
    throw new OrlopError('INVALID_ARGUMENT', 'Rekor public key: not one of ECDSA')
  return logs
}
