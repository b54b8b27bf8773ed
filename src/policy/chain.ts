import { OrlopError } from '../errors.ts'
import { authorityOf, type Certificate, extensionIds, purposesOf, sameCertificate } from './certificate.ts'

/** What a chain is built from. */
export interface ChainParts {
  /** Certificates that may stand in between; nothing is believed of them. */
  readonly intermediates: readonly Certificate[]
  /** Those that are trusted. */
  readonly roots: readonly Certificate[]
  /** When all of the chain must be valid. */
  readonly at: Date
}

/** Intermediates in one chain, and signatures that are checked on the way; more is an attack. */
const maxDepth = 6
const maxChecks = 100

/**
 * Throws unless a certificate for signing code leads to a root, by certificates that are all valid at one moment.
 *
 * Stricter than RFC 5280 where that is simpler: constraints on names are not supported, and so are denied; a root must be
 * an authority by its own word, and cannot be the certificate itself.
 *
 * @throws PERMISSION_DENIED  it does not
 */
export function checkChain(leaf: Certificate, parts: ChainParts): void {
  checkAlone(leaf, parts.at)
  if (!new Search(parts).leads([leaf])) throw denied('its certificate leads to no authority that is trusted')
}

class Search {
  readonly #parts: ChainParts
  #checks = 0

  constructor(parts: ChainParts) {
    this.#parts = parts
  }

  /** Whether a chain can be completed. */
  leads(chain: readonly Certificate[]): boolean {
    const { roots, intermediates } = this.#parts
    if (roots.some(root => this.#mayIssue(root, chain))) return true
    if (chain.length > maxDepth) return false
    const others = intermediates.filter(one => !chain.some(other => sameCertificate(one, other)))
    return others.some(one => this.#mayIssue(one, chain) && this.leads([...chain, one]))
  }

  #mayIssue(issuer: Certificate, chain: readonly Certificate[]): boolean {
    const child = chain.at(-1)
    if (child === undefined || Buffer.compare(issuer.subject, child.issuer) !== 0) return false
    if (
      chain.some(one => sameCertificate(one, issuer)) ||
      !isAuthority(issuer, chain.length - 1, this.#parts.at)
    )
      return false
    if (++this.#checks > maxChecks) throw denied('its certificates are too many')
    return child.isSignedBy(issuer.key)
  }
}

/** @param below  authorities that stand between it and the leaf */
function isAuthority(certificate: Certificate, below: number, at: Date): boolean {
  const { ca, pathLength = below } = authorityOf(certificate)
  if (!ca || pathLength < below || certificate.extensions.has(extensionIds.nameConstraints)) return false
  return problemOf(certificate, at) === undefined
}

function checkAlone(leaf: Certificate, at: Date): void {
  const problem = problemOf(leaf, at)
  if (problem !== undefined) throw denied(`its certificate ${problem}`)
}

const algorithms: ReadonlySet<string> = new Set([
  '1.2.840.10045.4.3.2', // ECDSA with SHA-256, 384, 512
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.2.840.113549.1.1.11', // RSA with the same
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.3.101.112', // Ed25519
])

const known: ReadonlySet<string> = new Set([
  extensionIds.keyUsage,
  extensionIds.subjectAltName,
  extensionIds.basicConstraints,
  extensionIds.extendedKeyUsage,
])

const codeSigning = '1.3.6.1.5.5.7.3.3'
const anyPurpose = '2.5.29.37.0'

/** What is wrong with a certificate by itself. */
function problemOf(certificate: Certificate, at: Date): string | undefined {
  const { notBefore, notAfter, algorithm, extensions } = certificate
  if (at < notBefore || at > notAfter) return `was not valid at ${at.toISOString()}`
  if (!algorithms.has(algorithm)) return `is signed with an algorithm that is not supported (${algorithm})`
  for (const [id, { critical }] of extensions)
    if (critical && !known.has(id)) return `has an extension that is not supported (${id})`
  const purposes = purposesOf(certificate)
  if (purposes && !purposes.includes(codeSigning) && !purposes.includes(anyPurpose))
    return 'is not for signing code'
  return undefined
}

const denied = (why: string): OrlopError => new OrlopError('PERMISSION_DENIED', why)
