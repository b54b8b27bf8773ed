import { OrlopError } from '../../errors.ts'
import type { SignatureSource } from '../../images/signature.ts'
import { formatPlatformAll } from '../../oci/platform.ts'
import { fullReference } from '../../oci/reference.ts'
import type { Policy, RequirementVerdict, SignatureVerdict } from '../../policy/types.ts'
import { onlyIndexSigned } from '../../runtime/judged.ts'
import { lookup } from '../../runtime/lookup.ts'
import {
  type ManifestVerdict,
  signaturesIn,
  type Verified,
  type VerifyOptions,
  verify,
} from '../../runtime/verify.ts'
import { collect, wantedPlatforms } from '../arguments.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../exit-code.ts'
import { addPolicyOptions, openPolicy, type PolicyOptions, signaturePlacesOf } from '../policy-options.ts'
import { progressFor } from '../progress.ts'
import type { Register } from '../register.ts'
import { addRegistryOptions, openResolver, type RegistryOptions } from '../registry-options.ts'

interface VerifyCommandOptions extends RegistryOptions, Omit<PolicyOptions, 'insecurePolicy'> {
  readonly key?: readonly string[]
  readonly as?: string
  readonly platform?: readonly string[]
  readonly remote?: boolean
}

/** `orlop images verify` */
export const registerVerify: Register = (noun, context) => {
  const { signal, fail } = context
  const command = noun
    .command('verify <image>')
    .description('judge an image by a policy or a key, and say what came of each signature')
    .option(
      '--key <file>',
      'a public key of cosign or of OpenPGP that must have signed it, in place of a policy; may be repeated, and one of its kind is enough',
      collect,
    )
    .option('--as <reference>', 'judge it under this name; by default its own')
    .option(
      '--platform <os/arch>',
      'platform to judge, all that are here by default; may be repeated',
      collect,
    )
    .option('--remote', 'judge the image and the signatures that the registry has, and pull nothing')
  addRegistryOptions(addPolicyOptions(command, { insecure: false }))
    .addHelpText('after', exitText)
    .action(async (name: string, options: VerifyCommandOptions) => {
      const policy = await policyOf(options, context)
      const as = options.as === undefined ? undefined : fullReference(options.as)
      const wanted: VerifyOptions = {
        platforms: options.platform && wantedPlatforms(options.platform),
        signal,
      }
      const judge = options.remote ? judgeRemote : judgeHere
      const { known, ...verified } = await judge(context, name, { policy, as, options, wanted })
      show(context, known, verified)
      if (!verified.accepted) fail(exitCodes.denied)
    })
}

const exitText = `
Signatures come with a pull; without --remote those of the store are looked at. Exits with 6 when the image is denied.`

async function policyOf(options: VerifyCommandOptions, { signal }: Context): Promise<Policy> {
  if (options.key) {
    if (options.policy !== undefined)
      throw new OrlopError('INVALID_ARGUMENT', 'give --key or --policy, not both')
    return (await import('../../policy/key-policy.ts')).policyOfKeys(options.key, { signal })
  }
  const policy = await openPolicy(options, { signal })
  if (policy) return policy
  throw new OrlopError('INVALID_ARGUMENT', 'there is no policy.json on this machine; give --policy or --key')
}

interface Asked {
  readonly policy: Policy
  readonly as: string | undefined
  readonly options: VerifyCommandOptions
  readonly wanted: VerifyOptions
}

type Judged = Verified & { readonly known: string }

async function judgeHere(context: Context, name: string, { policy, as, wanted }: Asked): Promise<Judged> {
  const { images, disk, content } = await context.scope()
  const record = await lookup(images, name, context)
  const parts = { provider: disk, policy, signatures: signaturesIn(content) }
  const verified = await verify(parts, as ?? record.name, record.target, { ...wanted, present: disk })
  return { known: record.name, ...verified }
}

async function judgeRemote(
  context: Context,
  name: string,
  { policy, as, options, wanted }: Asked,
): Promise<Judged> {
  const { signal } = context
  const reference = fullReference(name)
  const progress = await progressFor(context.options)
  try {
    await using resolver = await openResolver(reference, options, {
      signal,
      onProgress: event => {
        if (event.type === 'retry') progress.onProgress(event)
      },
    })
    // A key is given to see what it has signed, wherever that is.
    const places = { ...signaturePlacesOf(options), ...(options.key && { attachments: true }) }
    const signatures = resolver.signatures(places)
    const target = await resolver.resolve(reference, { signal })
    const provider = await resolver.fetcher(reference, { signal })
    // Under another name the signatures are still where the image is.
    const there: SignatureSource = {
      signatures: (_name, digest, asked) => signatures.signatures(reference, digest, asked),
    }
    const verified = await verify({ provider, policy, signatures: there }, as ?? reference, target, wanted)
    return { known: reference, ...verified }
  } finally {
    progress.end()
  }
}

function show({ out, options }: Context, name: string, { accepted, manifests, index }: Verified): void {
  if (options.json) {
    out.json({ name, accepted, ...(index && { index: document(index) }), manifests: manifests.map(document) })
    return
  }
  if (options.quiet) {
    if (accepted) out.line(name)
    return
  }
  out.table(['MANIFEST', 'PLATFORM', 'VERDICT', 'POLICY'], manifests.map(row))
  for (const manifest of manifests)
    for (const requirement of manifest.requirements)
      for (const line of lines(requirement)) out.line(`${manifest.manifest.digest}: ${line}`)
  if (!accepted && index?.accepted)
    out.note(`the index ${index.manifest.digest} would be accepted; ${onlyIndexSigned}`)
}

const row = ({ manifest, platform, accepted, scope }: ManifestVerdict): readonly string[] => [
  manifest.digest,
  platform ? formatPlatformAll(platform) : '-',
  accepted ? 'accepted' : 'denied',
  scope,
]

function* lines({ type, accepted, reason, signatures }: RequirementVerdict): Generator<string> {
  if (signatures.length === 0) yield `${type}: ${accepted ? 'accepted' : reason}`
  for (const [at, signature] of signatures.entries())
    yield `${type}: signature ${at + 1}: ${lineOf(signature)}`
}

function lineOf({ signed, reason }: SignatureVerdict): string {
  if (signed === undefined) return reason ?? 'not accepted'
  const when = signed.signedAt ? `, at ${signed.signedAt.toISOString()}` : ''
  return `by ${signed.signer} for ${signed.reference}${when}`
}

const document = ({ manifest, platform, accepted, scope, requirements }: ManifestVerdict) => ({
  digest: manifest.digest,
  mediaType: manifest.mediaType,
  ...(platform && { platform: formatPlatformAll(platform) }),
  accepted,
  scope,
  requirements,
})
