import { OrlopError } from '../errors.ts'
import { type Certificate, emailsOf, fulcioIssuerOf, parseCertificates } from './certificate.ts'
import { checkChain } from './chain.ts'
import type { TrustedFulcio, TrustedPki } from './sigstore-keys.ts'

/** The certificate that came with a signature, and those that came with it. */
export interface Certified {
  readonly leaf: Certificate
  readonly intermediates: readonly Certificate[]
}

/**
 * Reads them out of a signature's annotations; nothing is believed of them.
 *
 * @param chain  from the certificate's issuer to a root, which counts for nothing
 * @throws INVALID_ARGUMENT  what cannot be read, or several certificates where one is needed
 */
export function readCertified(certificate: string, chain: string | undefined): Certified {
  const [leaf, ...more] = parseCertificates(certificate, 'its certificate')
  if (leaf === undefined || more.length > 0)
    throw new OrlopError('INVALID_ARGUMENT', 'its certificate: several where one is needed')
  return { leaf, intermediates: chain ? parseCertificates(chain, 'its chain').slice(0, -1) : [] }
}

/**
 * Throws unless a certificate is one of Fulcio's, for the person and by the word of the issuer that are wanted.
 *
 * @param at  when it was used, by the clock of a log that is trusted
 * @returns who signed
 * @throws PERMISSION_DENIED
 */
export function checkFulcio({ leaf, intermediates }: Certified, trust: TrustedFulcio, at: Date): string {
  checkChain(leaf, { intermediates, roots: trust.roots, at })
  const issuer = fulcioIssuerOf(leaf)
  if (issuer !== trust.oidcIssuer)
    throw denied(
      `its signer is known by the word of ${JSON.stringify(issuer.slice(0, 200))}, not of ${trust.oidcIssuer}`,
    )
  return checkEmail(leaf, trust.subjectEmail)
}

/**
 * Throws unless a certificate is one of an authority's, valid now, for the person and the host that are wanted.
 *
 * @returns who signed
 * @throws PERMISSION_DENIED
 */
export function checkPki({ leaf, intermediates }: Certified, trust: TrustedPki, at: Date): string {
  const { subjectEmail, subjectHostname } = trust
  checkChain(leaf, { intermediates: [...trust.intermediates, ...intermediates], roots: trust.roots, at })
  if (subjectHostname !== undefined && !leaf.namesHost(subjectHostname))
    throw denied(`its certificate is not for the host ${subjectHostname}`)
  const email = subjectEmail === undefined ? undefined : checkEmail(leaf, subjectEmail)
  const signer = email ?? subjectHostname
  if (signer === undefined) throw denied('the policy does not say whom its certificate must be for')
  return signer
}

function checkEmail(leaf: Certificate, wanted: string): string {
  const emails = emailsOf(leaf)
  if (emails.includes(wanted)) return wanted
  throw denied(`its certificate is for ${JSON.stringify(emails).slice(0, 200)}, not for ${wanted}`)
}

const denied = (why: string): OrlopError => new OrlopError('PERMISSION_DENIED', why)
