import fs from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { isOrlopError } from '../../src/errors.ts'
import { type SigstoreSignature, sigstoreSignatureType } from '../../src/images/signature.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { parseCertificates } from '../../src/policy/certificate.ts'
import { checkChain } from '../../src/policy/chain.ts'
import { defaultIdentity } from '../../src/policy/identity.ts'
import { verifySigstore } from '../../src/policy/sigstore.ts'
import { loadSigstoreKeys } from '../../src/policy/sigstore-keys.ts'
import type { SigstoreTrust } from '../../src/policy/types.ts'
import {
  type CertificateInit,
  codeSigning,
  type MadeCertificate,
  makeCertificate,
  pemOf,
  tagged,
} from '../support/certificates.ts'
import { testWhere } from '../support/programs.ts'
import { run } from '../support/run.ts'
import { rekorBundle, signBytes, signingKey, sigstorePayload } from '../support/signing.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const day = 86_400_000
const root = makeCertificate({ name: 'root', ca: true })
const middle = makeCertificate({ name: 'middle', ca: 0, issuer: root, purposes: [codeSigning], usage: 0x06 })
const other = makeCertificate({ name: 'root', ca: true })
const signer: CertificateInit = { name: 'signer', issuer: middle }

interface Chain {
  readonly leaf: MadeCertificate
  readonly between?: readonly MadeCertificate[]
  readonly roots?: readonly MadeCertificate[]
  /** Hours from now. */
  readonly at?: number
}

const pems = (made: readonly MadeCertificate[]): string => made.map(({ pem }) => pem).join('')
const parse = (made: readonly MadeCertificate[]) =>
  made.length === 0 ? [] : parseCertificates(pems(made), 'certificate')

const holds = ({ leaf, between = [middle], roots = [root], at = 0 }: Chain): string | undefined => {
  const [certificate] = parse([leaf])
  if (certificate === undefined) throw new Error('no certificate')
  const moment = new Date(Date.now() + at * 3_600_000)
  try {
    checkChain(certificate, { intermediates: parse(between), roots: parse(roots), at: moment })
    return undefined
  } catch (error) {
    if (isOrlopError(error)) return error.message
    throw error
  }
}

/** What OpenSSL says of the same; it knows nothing of what a certificate of an authority is for. */
const holdsForOpenssl = async (
  directory: string,
  { leaf, between = [middle], roots = [root], at = 0 }: Chain,
) => {
  const file = async (name: string, text: string): Promise<string> => {
    await fs.writeFile(path.join(directory, name), text)
    return path.join(directory, name)
  }
  const moment = String(Math.floor(Date.now() / 1000 + at * 3600))
  const untrusted = between.length > 0 ? ['-untrusted', await file('between', pems(between))] : []
  const trusted = ['-CAfile', await file('roots', pems(roots)), '-no-CApath', '-no-CAstore', '-partial_chain']
  const { code } = await run('openssl', [
    'verify',
    '-attime',
    moment,
    ...trusted,
    ...untrusted,
    await file('leaf', leaf.pem),
  ])
  return code === 0
}

/** @param likeOpenssl  false: OpenSSL thinks otherwise, or of something else */
const chain = (title: string, made: () => Chain, reason: RegExp | undefined, likeOpenssl = true): void => {
  test(`checkChain() ${reason ? 'denies' : 'accepts'} ${title}`, t => {
    const said = holds(made())
    if (reason) t.regex(said ?? 'accepted', reason)
    else t.is(said, undefined)
  })
  if (!likeOpenssl) return
  testWhere('openssl')(`OpenSSL ${reason ? 'denies' : 'accepts'} ${title}`, async t => {
    t.is(await holdsForOpenssl(await temporaryDirectory(t), made()), reason === undefined)
  })
}

const nowhere = /leads to no authority that is trusted/
chain('a certificate of an authority below a root', () => ({ leaf: makeCertificate(signer) }), undefined)
chain(
  'a certificate of a root',
  () => ({ leaf: makeCertificate({ ...signer, issuer: root }), between: [] }),
  undefined,
)
chain(
  'an authority in between that is trusted itself',
  () => ({ leaf: makeCertificate(signer), between: [], roots: [middle] }),
  undefined,
)
chain(
  'one of several roots, and intermediates that lead nowhere',
  () => ({
    leaf: makeCertificate(signer),
    between: [other, makeCertificate({ name: 'middle', ca: true }), middle],
    roots: [other, root],
  }),
  undefined,
  false,
)
chain('a missing intermediate', () => ({ leaf: makeCertificate(signer), between: [] }), nowhere)
chain('another root of the same name', () => ({ leaf: makeCertificate(signer), roots: [other] }), nowhere)
chain('a certificate signed by itself', () => ({ leaf: makeCertificate({ name: 'signer' }) }), nowhere)
chain('a root that is used to sign', () => ({ leaf: root, between: [] }), nowhere, false)
chain(
  'a signature by another key than the issuer’s',
  () => ({ leaf: makeCertificate({ ...signer, issuer: other, issuerName: 'middle' }) }),
  nowhere,
)
chain(
  'a certificate that was changed',
  () => {
    const { der, ...made } = makeCertificate({ ...signer, email: 'a@example.com' })
    const changed = Buffer.from(der)
    changed.write('b', changed.indexOf('a@example.com'))
    return { leaf: { ...made, der: changed, pem: pemOf(changed) } }
  },
  nowhere,
)
chain(
  'an issuer that is no authority',
  () => {
    const issuer = makeCertificate(signer)
    return { leaf: makeCertificate({ name: 'below', issuer }), between: [middle, issuer] }
  },
  nowhere,
)
chain(
  'an issuer that may not sign certificates',
  () => {
    const issuer = makeCertificate({ name: 'issuer', ca: true, issuer: root, usage: 0x80 })
    return { leaf: makeCertificate({ name: 'below', issuer }), between: [issuer] }
  },
  nowhere,
)
chain(
  'more authorities than one of them allows',
  () => {
    const issuer = makeCertificate({ name: 'issuer', ca: true, issuer: middle })
    return { leaf: makeCertificate({ name: 'below', issuer }), between: [middle, issuer] }
  },
  nowhere,
)
chain(
  'as many authorities as they allow',
  () => {
    const [upper, lower] = [makeCertificate({ name: 'upper', ca: 1, issuer: root })].flatMap(one => [
      one,
      makeCertificate({ name: 'lower', ca: 0, issuer: one }),
    ])
    if (!upper || !lower) throw new Error('no authorities')
    return { leaf: makeCertificate({ name: 'below', issuer: lower }), between: [lower, upper] }
  },
  undefined,
)
chain('a certificate before its time', () => ({ leaf: makeCertificate(signer), at: -2 }), /was not valid at/)
chain('a certificate after its time', () => ({ leaf: makeCertificate(signer), at: 2 }), /was not valid at/)
chain(
  'an authority after its time',
  () => {
    const issuer = makeCertificate({
      name: 'issuer',
      ca: true,
      issuer: root,
      notAfter: new Date(Date.now() - 1000),
    })
    return { leaf: makeCertificate({ name: 'below', issuer }), between: [issuer] }
  },
  nowhere,
)
chain(
  'a root after its time',
  () => {
    const issuer = makeCertificate({ name: 'old', ca: true, notAfter: new Date(Date.now() - 1000) })
    return { leaf: makeCertificate({ name: 'below', issuer }), between: [], roots: [issuer] }
  },
  nowhere,
)
chain(
  'another purpose',
  () => ({ leaf: makeCertificate({ ...signer, purposes: ['1.3.6.1.5.5.7.3.1'] }) }),
  /is not for signing code/,
  false,
)
chain('any purpose', () => ({ leaf: makeCertificate({ ...signer, purposes: ['2.5.29.37.0'] }) }), undefined)
chain('no purpose', () => ({ leaf: makeCertificate({ ...signer, purposes: [] }) }), undefined)
chain(
  'an authority for another purpose',
  () => {
    const issuer = makeCertificate({
      name: 'issuer',
      ca: true,
      issuer: root,
      purposes: ['1.3.6.1.5.5.7.3.1'],
    })
    return { leaf: makeCertificate({ name: 'below', issuer }), between: [issuer] }
  },
  nowhere,
  false,
)
chain(
  'a critical extension that is not known',
  () => ({
    leaf: makeCertificate({ ...signer, extensions: [['1.2.3.4', true, tagged(0x05, Buffer.alloc(0))]] }),
  }),
  /has an extension that is not supported \(1\.2\.3\.4\)/,
)
chain(
  'another extension that is not known',
  () => ({
    leaf: makeCertificate({ ...signer, extensions: [['1.2.3.4', false, tagged(0x05, Buffer.alloc(0))]] }),
  }),
  undefined,
)
chain(
  'an authority with constraints on names',
  () => {
    const constraint = tagged(0x30, tagged(0xa0, tagged(0x30, tagged(0x81, Buffer.from('example.com')))))
    const issuer = makeCertificate({
      name: 'issuer',
      ca: true,
      issuer: root,
      extensions: [['2.5.29.30', false, constraint]],
    })
    return { leaf: makeCertificate({ name: 'below', issuer, email: 'a@example.org' }), between: [issuer] }
  },
  nowhere,
)
chain(
  'a signature with SHA-1',
  () => ({ leaf: makeCertificate({ ...signer, algorithm: '1.2.840.10045.4.1' }) }),
  /an algorithm that is not supported/,
)

test('checkChain() gives up on a maze of certificates', t => {
  const key = signingKey()
  const twins = Array.from({ length: 18 }, (_, at) =>
    makeCertificate({ name: 'authority', key, ca: true, notAfter: new Date(Date.now() + (at + 1) * day) }),
  )
  const [issuer] = twins
  if (!issuer) return t.fail()
  t.is(
    holds({ leaf: makeCertificate({ name: 'leaf', issuer }), between: twins }),
    'its certificates are too many',
  )
})

const manifest = Buffer.from('{"a manifest":true}')
const reference = 'q.io/a:1'
const claim = { manifest, reference: parseReference(reference) }
const log = signingKey()
const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64')

const email = 'signer@example.com'
const issuer = 'https://accounts.example.com'
const person: CertificateInit = {
  name: 'person',
  issuer: middle,
  email,
  host: 'build.example.com',
  fulcioIssuer2: issuer,
}

interface SignInit {
  readonly leaf: MadeCertificate
  /** Seconds since 1970. */
  readonly loggedAt?: number
  readonly chain?: readonly MadeCertificate[]
  readonly drop?: string
  /** Logged as another's. */
  readonly loggedFor?: MadeCertificate
  readonly key?: ReturnType<typeof signingKey>
}

/** A keyless signature as cosign makes them. */
const certified = (init: SignInit): SigstoreSignature => {
  const {
    leaf,
    loggedAt = Math.floor(Date.now() / 1000),
    chain: rest = [middle, root],
    loggedFor = leaf,
  } = init
  const payload = sigstorePayload(digestOf(manifest), reference)
  const key = { ...(init.key ?? leaf.key), pem: loggedFor.pem }
  const signature = signBytes(key, payload)
  const annotations = {
    'dev.cosignproject.cosign/signature': base64(signature),
    'dev.sigstore.cosign/certificate': leaf.pem,
    'dev.sigstore.cosign/chain': pems(rest),
    'dev.sigstore.cosign/bundle': JSON.stringify(
      rekorBundle({ log, key, payload, signature, integratedTime: loggedAt }),
    ),
  }
  const kept = Object.entries(annotations).filter(
    ([name, text]) => !(init.drop && name.endsWith(init.drop)) && text !== '',
  )
  return {
    format: 'sigstore',
    mediaType: sigstoreSignatureType,
    payload,
    annotations: Object.fromEntries(kept),
  }
}

const fulcio: SigstoreTrust = {
  kind: 'fulcio',
  ca: { contents: [Buffer.from(root.pem)] },
  oidcIssuer: issuer,
  subjectEmail: email,
}
const pki = (more: object): SigstoreTrust => ({
  kind: 'pki',
  roots: { contents: [Buffer.from(root.pem)] },
  ...more,
})

const verified = async (trust: SigstoreTrust, made: SigstoreSignature, logs = [log]) => {
  const rekor =
    trust.kind === 'fulcio' ? { rekor: { contents: logs.map(({ pem }) => Buffer.from(pem)) } } : {}
  return verifySigstore(made, await loadSigstoreKeys({ trust, ...rekor }), claim, {
    signedIdentity: defaultIdentity,
  })
}

test('verifySigstore() takes the signature of a person that Fulcio knows', async t => {
  const loggedAt = Math.floor(Date.now() / 1000)
  const signed = await verified(fulcio, certified({ leaf: makeCertificate(person), loggedAt }))
  t.like(signed, { signer: email, reference, signedAt: new Date(loggedAt * 1000) })
  t.is(
    (await verified(fulcio, certified({ leaf: makeCertificate({ ...person, fulcioIssuer: issuer }) })))
      .signer,
    email,
  )
  const older = makeCertificate({ name: 'person', issuer: middle, email, fulcioIssuer: issuer })
  t.is((await verified(fulcio, certified({ leaf: older }))).signer, email)
})

test('verifySigstore() looks at certificates at the time of the log, not now', async t => {
  const then = { notBefore: new Date(Date.now() - 50 * day), notAfter: new Date(Date.now() + 50 * day) }
  const old = makeCertificate({ name: 'old root', ca: true, ...then })
  const leaf = makeCertificate({
    ...person,
    issuer: old,
    notBefore: new Date(Date.now() - 10 * day),
    notAfter: new Date(Date.now() - 9 * day),
  })
  const trust = { ...fulcio, ca: { contents: [Buffer.from(old.pem)] } }
  const at = (days: number): number => Math.floor(Date.now() / 1000 + days * 86_400)
  t.is((await verified(trust, certified({ leaf, loggedAt: at(-9.5), chain: [] }))).signer, email)
  await t.throwsAsync(verified(trust, certified({ leaf, loggedAt: at(0), chain: [] })), {
    message: /was not valid at/,
  })
})

const refuses = test.macro<
  [what: string, trust: SigstoreTrust, made: () => SigstoreSignature, message: RegExp]
>({
  async exec(t, _what, trust, made, message) {
    const error = await t.throwsAsync(verified(trust, made()), { message })
    t.true(isOrlopError(error))
  },
  title: (_, what, { kind }) => `verifySigstore() for ${kind} refuses ${what}`,
})

const leafOf = (more: Partial<CertificateInit> = {}): MadeCertificate =>
  makeCertificate({ ...person, ...more })
test(
  refuses,
  'a signature without a certificate',
  fulcio,
  () => certified({ leaf: leafOf(), drop: 'certificate' }),
  /no annotation dev\.sigstore\.cosign\/certificate/,
)
test(
  refuses,
  'a signature that is not logged',
  fulcio,
  () => certified({ leaf: leafOf(), drop: 'bundle' }),
  /no annotation dev\.sigstore\.cosign\/bundle/,
)
test(
  refuses,
  'a signature that was logged with another certificate',
  fulcio,
  () => certified({ leaf: leafOf(), loggedFor: leafOf() }),
  /names another signer/,
)
test(
  refuses,
  'the certificate of somebody else',
  fulcio,
  () => certified({ leaf: leafOf({ email: 'other@example.com' }) }),
  /is for \["other@example\.com"\], not for signer@example\.com/,
)
test(
  refuses,
  'a certificate without an address',
  fulcio,
  () => {
    const { email: _, ...nobody } = person
    return certified({ leaf: makeCertificate(nobody) })
  },
  /is for \[\], not for/,
)
test(
  refuses,
  'the word of another issuer',
  fulcio,
  () => certified({ leaf: leafOf({ fulcioIssuer2: 'https://evil.example.com' }) }),
  /by the word of "https:\/\/evil/,
)
test(
  refuses,
  'two issuers',
  fulcio,
  () => certified({ leaf: leafOf({ fulcioIssuer: 'https://evil.example.com' }) }),
  /does not say who vouched/,
)
test(
  refuses,
  'no issuer',
  fulcio,
  () => certified({ leaf: makeCertificate({ name: 'person', issuer: middle, email }) }),
  /does not say who vouched/,
)
test(
  refuses,
  'another authority',
  fulcio,
  () => certified({ leaf: leafOf({ issuer: other }), chain: [other] }),
  nowhere,
)
test(
  refuses,
  'a root that came with the signature',
  fulcio,
  () => certified({ leaf: leafOf({ issuer: other }), chain: [other, other] }),
  nowhere,
)
test(
  refuses,
  'a signature by another key',
  fulcio,
  () => certified({ leaf: leafOf(), key: signingKey() }),
  /not made with the key of its certificate/,
)
test(
  refuses,
  'two certificates',
  fulcio,
  () => {
    const made = certified({ leaf: leafOf() })
    const key = 'dev.sigstore.cosign/certificate'
    return {
      ...made,
      annotations: { ...made.annotations, [key]: leafOf().pem + (made.annotations[key] ?? '') },
    }
  },
  /several where one is needed/,
)
test(
  refuses,
  'a chain of something else',
  fulcio,
  () => {
    const made = certified({ leaf: leafOf() })
    return { ...made, annotations: { ...made.annotations, 'dev.sigstore.cosign/chain': signingKey().pem } }
  },
  /not certificates in PEM/,
)
test(
  refuses,
  'a chain without end',
  fulcio,
  () => {
    const made = certified({ leaf: leafOf() })
    return { ...made, annotations: { ...made.annotations, 'dev.sigstore.cosign/chain': root.pem.repeat(21) } }
  },
  /more than 20 certificates/,
)

test('verifySigstore() takes the signature of a certificate of a PKI', async t => {
  const made = certified({ leaf: leafOf(), drop: 'bundle' })
  t.is((await verified(pki({ subjectEmail: email }), made)).signer, email)
  t.is((await verified(pki({ subjectHostname: 'build.example.com' }), made)).signer, 'build.example.com')
  t.is(
    (await verified(pki({ subjectEmail: email, subjectHostname: 'build.example.com' }), made)).signer,
    email,
  )
  const alone = certified({ leaf: leafOf(), drop: 'chain' })
  const intermediates = { contents: [Buffer.from(middle.pem)] }
  t.is((await verified(pki({ subjectEmail: email, intermediates }), alone)).signer, email)
  await t.throwsAsync(verified(pki({ subjectEmail: email }), alone), { message: nowhere })
})

test(
  refuses,
  'another host',
  pki({ subjectHostname: 'other.example.com' }),
  () => certified({ leaf: leafOf() }),
  /not for the host other\.example\.com/,
)
test(
  refuses,
  'a host that is only in the subject',
  pki({ subjectHostname: 'person' }),
  () => certified({ leaf: makeCertificate({ name: 'person', issuer: middle, email }) }),
  /not for the host person/,
)
test(
  refuses,
  'another address',
  pki({ subjectEmail: 'a@b' }),
  () => certified({ leaf: leafOf() }),
  /not for a@b/,
)
test(
  refuses,
  'one of two that are wanted',
  pki({ subjectEmail: email, subjectHostname: 'x.y' }),
  () => certified({ leaf: leafOf() }),
  /not for the host x\.y/,
)
test(
  refuses,
  'anybody, when the policy names nobody',
  pki({}),
  () => certified({ leaf: leafOf() }),
  /does not say whom/,
)
test(
  refuses,
  'a certificate that has expired',
  pki({ subjectEmail: email }),
  () => certified({ leaf: leafOf({ notAfter: new Date(Date.now() - 1000) }) }),
  /was not valid at/,
)
test(
  refuses,
  'a host by a wildcard in its middle',
  pki({ subjectHostname: 'a.b.example.com' }),
  () => certified({ leaf: leafOf({ host: 'a.*.example.com' }) }),
  /not for the host/,
)

test('parseCertificates() throws nothing but errors of ours, whatever is changed', t => {
  const { der } = makeCertificate({ ...person, ca: 3, usage: 6 })
  fc.assert(
    fc.property(fc.nat(der.byteLength - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const changed = Buffer.from(der)
      changed[at] = (changed[at] ?? 0) ^ by
      try {
        const [certificate] = parseCertificates(pemOf(changed), 'c')
        if (certificate)
          checkChain(certificate, { intermediates: parse([middle]), roots: parse([root]), at: new Date() })
        t.fail(`accepted with byte ${at} changed`)
      } catch (error) {
        if (!isOrlopError(error)) t.fail(`byte ${at}: ${String(error)}`)
      }
    }),
    { numRuns: 400 },
  )
  for (const junk of [
    '',
    'x',
    '-----BEGIN CERTIFICATE-----',
    `-----BEGIN CERTIFICATE-----${' '.repeat(1_000_000)}`,
    '-----BEGIN X-----'.repeat(50_000),
  ])
    t.throws(() => parseCertificates(junk, 'c'), { code: 'INVALID_ARGUMENT' })
})
