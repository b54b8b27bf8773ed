import type { AbortOptions } from '../options.ts'
import { readSmall } from './sources.ts'
import type { IdentityMatch, Policy, Requirement } from './types.ts'

/**
 * A policy that wants a signature by one of some keys, for whatever image: made under the name of the image's repository,
 * with any tag or none, as cosign makes them.
 *
 * @param files  public keys; those of OpenPGP are told by how they begin, all others are of sigstore
 * @throws NOT_FOUND, PERMISSION_DENIED  a file that cannot be read
 */
export async function policyOfKeys(files: readonly string[], options: AbortOptions = {}): Promise<Policy> {
  const signedIdentity: IdentityMatch = { type: 'matchRepository' }
  const [gpg, sigstore]: [string[], string[]] = [[], []]
  for (const file of files) ((await isOpenPgp(file, options)) ? gpg : sigstore).push(file)
  const requirements: Requirement[] = []
  if (gpg.length > 0)
    requirements.push({ type: 'signedBy', keyType: 'GPGKeys', keys: { paths: gpg }, signedIdentity })
  if (sigstore.length > 0)
    requirements.push({
      type: 'sigstoreSigned',
      trust: { kind: 'keys', keys: { paths: sigstore } },
      signedIdentity,
    })
  return { default: requirements, transports: new Map() }
}

/** Armored, or a packet of OpenPGP, whose first byte is no text. */
async function isOpenPgp(file: string, options: AbortOptions): Promise<boolean> {
  const bytes = await readSmall(file, `public key ${file}`, options)
  return (
    (bytes[0] ?? 0) >= 0x80 || Buffer.from(bytes.subarray(0, 64)).toString('latin1').includes('BEGIN PGP')
  )
}
