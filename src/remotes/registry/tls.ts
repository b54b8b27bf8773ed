import { readFile } from 'node:fs/promises'
import type { SecureContext } from 'node:tls'
import { OrlopError } from '../../errors.ts'
import type { Connection } from './connection.ts'

/** Whom to trust where a connection does not say. */
export interface TrustOptions {
  /**
   * True: the certificate authorities of the operating system instead of Node's own, where it has a file of them;
   * that is whom ctr, docker and podman trust. Those of `NODE_EXTRA_CA_CERTS` count either way.
   */
  readonly systemRoots?: boolean | undefined
}

/**
 * What TLS connections need, made once for many: reading a hundred and more authorities takes 25 ms.
 *
 * @throws INVALID_ARGUMENT  a certificate or key is none, or the two do not belong together
 */
export async function secureContext(
  { ca, certificates = [] }: Connection,
  { systemRoots = false }: TrustOptions = {},
): Promise<SecureContext> {
  const { createSecureContext } = await import('node:tls')
  const roots = ca || systemRoots ? [...(await rootsOf(systemRoots)), ...(ca ?? [])] : undefined
  // Of several keys of one kind OpenSSL keeps the last.
  const shown = certificates.toReversed()
  try {
    return createSecureContext({
      ...(roots && { ca: roots }),
      ...(shown.length > 0 && { cert: shown.map(({ cert }) => cert), key: shown.map(({ key }) => key) }),
    })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new OrlopError('INVALID_ARGUMENT', `certificate, key or authority for TLS: ${why}`, { cause })
  }
}

/** Where operating systems keep the authorities that they trust, as Go's crypto/x509 looks for them. */
const bundles: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

async function rootsOf(systemRoots: boolean): Promise<readonly string[]> {
  const { SSL_CERT_FILE: chosen, NODE_EXTRA_CA_CERTS: extra } = process.env
  const own = systemRoots ? await firstText(chosen ? [chosen] : bundles) : undefined
  const more = extra ? await firstText([extra]) : undefined
  const { rootCertificates } = await import('node:tls')
  return [...(own === undefined ? rootCertificates : [own]), ...(more === undefined ? [] : [more])]
}

/** The first of some files that can be read; Node, too, only warns of one that cannot. */
async function firstText(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    try {
      const text = await readFile(file, 'utf8')
      if (text.includes('-----BEGIN CERTIFICATE-----')) return text
    } catch {
      // The next one, or Node's own.
    }
  }
  return undefined
}
