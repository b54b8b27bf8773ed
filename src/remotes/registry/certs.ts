import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { fromErrno, hasCode, isNotFound, OrlopError } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import type { ClientCertificate, Connection } from './connection.ts'
import { readText } from './text-file.ts'

/** Options of `certificatesIn`. */
export interface CertificatesOptions extends AbortOptions {
  /** True: a `.cert` without `.key` holds the key as well, and a lone `.key` is passed over, as containerd has it. */
  readonly keyInside?: boolean | undefined
}

/**
 * What a directory in the manner of Docker's certs.d holds: each `*.crt` is an authority to trust, each `*.cert` a client
 * certificate whose key is in the `*.key` of the same name.
 *
 * @returns `undefined` when there is no such directory, or it may not be read
 * @throws FAILED_PRECONDITION  a client certificate or key without the other, or what is no certificate
 * @see containers/image pkg/tlsclientconfig, SetupCertificates
 */
export async function certificatesIn(
  directory: string,
  { keyInside = false, signal }: CertificatesOptions = {},
): Promise<Connection | undefined> {
  const names = await namesIn(directory)
  if (!names) return undefined
  const at = (name: string): string => path.join(directory, name)
  const stems = (extension: string): readonly string[] =>
    names.filter(name => name.endsWith(extension)).map(name => name.slice(0, -extension.length))
  const [keys, certs] = [stems('.key'), stems('.cert')]
  const lonely = keyInside
    ? undefined
    : [...keys, ...certs].find(n => !keys.includes(n) || !certs.includes(n))
  if (lonely !== undefined) throw unpaired(directory, lonely, keys.includes(lonely))
  const ca: string[] = []
  for (const stem of stems('.crt')) ca.push(await readAuthorities(at(`${stem}.crt`), { signal }))
  const certificates: ClientCertificate[] = []
  for (const stem of certs) {
    const key = keys.includes(stem) ? at(`${stem}.key`) : undefined
    certificates.push(await readPair(at(`${stem}.cert`), key, { signal }))
  }
  return { ...(ca.length > 0 && { ca }), ...(certificates.length > 0 && { certificates }) }
}

async function namesIn(directory: string): Promise<readonly string[] | undefined> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    return entries.flatMap(entry => (entry.isDirectory() ? [] : [entry.name])).sort()
  } catch (error) {
    const ours = fromErrno(error, directory)
    if (isNotFound(ours) || hasCode(ours, 'PERMISSION_DENIED') || hasCode(ours, 'FAILED_PRECONDITION'))
      return undefined
    throw ours
  }
}

const unpaired = (directory: string, stem: string, isKey: boolean): OrlopError => {
  const [here, lacking] = isKey ? ['key', 'cert'] : ['cert', 'key']
  const hint = isKey ? '' : '; certificates of authorities are called .crt'
  const file = path.join(directory, `${stem}.${here}`)
  return new OrlopError('FAILED_PRECONDITION', `${file}: ${stem}.${lacking} is missing beside it${hint}`)
}

/**
 * The certificates of authorities in a file, PEM.
 *
 * @throws NOT_FOUND  no such file
 * @throws FAILED_PRECONDITION  no certificate in it
 */
export async function readAuthorities(file: string, options?: AbortOptions): Promise<string> {
  const text = await present(file, options)
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new OrlopError('FAILED_PRECONDITION', `${file}: no certificate in PEM in it`)
  return text
}

/**
 * A client certificate and its key, from two files or both from one, PEM.
 *
 * @throws NOT_FOUND  no such file
 * @throws FAILED_PRECONDITION  not a certificate, not a key, one with a passphrase, or of different pairs
 */
export async function readPair(
  certFile: string,
  keyFile: string | undefined,
  options?: AbortOptions,
): Promise<ClientCertificate> {
  const cert = await present(certFile, options)
  const key = keyFile === undefined ? cert : await present(keyFile, options)
  const refuse = (file: string, why: string): never => {
    throw new OrlopError('FAILED_PRECONDITION', `${file}: ${why}`)
  }
  const parsed = attempt(() => new X509Certificate(cert)) ?? refuse(certFile, 'no certificate in PEM in it')
  const secret = attempt(() => createPrivateKey(key))
  if (!secret) return refuse(keyFile ?? certFile, 'no private key in PEM in it, or one with a passphrase')
  if (!parsed.checkPrivateKey(secret)) return refuse(keyFile ?? certFile, `not the key of ${certFile}`)
  return { cert, key }
}

/** What `make` gives, or `undefined`; its error could quote a key. */
function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}

async function present(file: string, options?: AbortOptions): Promise<string> {
  const text = await readText(file, options)
  if (text === undefined) throw new OrlopError('NOT_FOUND', `${file}: no such file`)
  return text
}
