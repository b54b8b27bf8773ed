import { Option } from 'commander'
import { OrlopError } from '../../errors.ts'
import { fullReference } from '../../oci/reference.ts'
import { describeBlob } from '../../runtime/describe-blob.ts'
import { type Pushed, type PushOptions, push } from '../../runtime/push.ts'
import { collect, count, wantedPlatforms } from '../arguments.ts'
import { formatBytes } from '../output.ts'
import { addPlacesOption, type PolicyOptions, signaturePlacesOf } from '../policy-options.ts'
import { progressFor } from '../progress.ts'
import type { Register } from '../register.ts'
import { addRegistryOptions, openResolver, type RegistryOptions } from '../registry-options.ts'

interface PushCommandOptions extends RegistryOptions, Pick<PolicyOptions, 'registries.d'> {
  readonly manifest?: string
  readonly manifestType?: string
  readonly platform?: readonly string[]
  readonly allPlatforms?: boolean
  readonly missing: NonNullable<PushOptions['onMissing']>
  readonly referrers?: boolean
  readonly maxConcurrentUploadedLayers?: number
  readonly allowNonDistributableBlobs?: boolean
  readonly removeSignatures?: boolean
}

const help = `
With one name the image goes where its name says; with two the first names the image here, the second where it goes.
(ctr has them the other way round.) What the registry has is not sent again.

An image of several platforms goes whole. When some of it is neither here nor at the registry, nothing is pushed and what
is missing is named; --platform pushes one platform, --missing skip an index of those that are here (another digest),
--missing fetch reads what is missing from where the image came from.`

/** `orlop images push` */
export const registerPush: Register = (noun, context) => {
  const { out, signal, scope, options: global } = context
  const command = noun
    .command('push <local> [remote]')
    .usage('[options] [local] <remote>')
    .description('send an image to a registry')
    .option('--manifest <digest>', 'push this manifest or index instead of an image')
    .option('--manifest-type <type>', 'its media type; default: what its document says')
    .option('--platform <os/arch>', 'push the manifest of this platform; of several an index', collect)
    .option('--all-platforms', 'push all platforms of the image, which is the default')
    .addOption(
      new Option('--missing <action>', 'what to do when not all of the image is here')
        .choices(['error', 'skip', 'fetch'])
        .default('error'),
    )
    .option('--referrers', 'push along what refers to the image and is here: signatures, bills of materials')
    .option(
      '--max-concurrent-uploaded-layers <n>',
      'blobs on their way at one time; 3, and 8 small ones, unless told',
      count,
    )
    .option('--allow-non-distributable-blobs', 'push layers too that a licence keeps from being distributed')
    .option('--remove-signatures', 'leave the signatures of the image behind')
    .addOption(new Option('--local', 'as in ctr; it is always so').hideHelp())
    .addHelpText('after', help)
  addRegistryOptions(addPlacesOption(command)).action(
    async (first: string, second: string | undefined, options: PushCommandOptions) => {
      if (options.allPlatforms && options.platform)
        throw new OrlopError('INVALID_ARGUMENT', 'give --platform or --all-platforms, not both')
      if (options.manifest !== undefined && second !== undefined)
        throw new OrlopError('INVALID_ARGUMENT', 'give --manifest or the name of a local image, not both')
      const reference = fullReference(second ?? first)
      const platforms = options.platform && wantedPlatforms(options.platform)
      const opened = await scope()
      const image =
        options.manifest === undefined
          ? first
          : await describeBlob(opened.content, options.manifest, options.manifestType, { signal })
      const progress = await progressFor(global)
      try {
        const { onProgress } = progress
        await using resolver = await openResolver(reference, options, { signal, onProgress })
        const signatures = resolver.signatures(signaturePlacesOf(options))
        const pushed = await push({ resolver, scope: opened, signatures }, reference, {
          image,
          platforms,
          onMissing: options.missing,
          nonDistributable: options.allowNonDistributableBlobs,
          referrers: options.referrers,
          removeSignatures: options.removeSignatures,
          concurrency: options.maxConcurrentUploadedLayers,
          onProgress,
          signal,
        })
        progress.end()
        show(pushed)
      } finally {
        progress.end()
      }
    },
  )

  const show = ({ reference, target, skipped, signatures, totals }: Pushed): void => {
    const { blobs, total, fetched: sent, reused } = totals
    if (global.json) {
      const left = skipped.map(({ kind, platform, manifest }) => ({ kind, platform, manifest }))
      out.json({ reference, target, skipped: left, signatures, blobs, bytes: { total, sent, reused } })
      return
    }
    out.line(global.quiet ? reference : `${reference} ${target.digest}`)
    if (global.quiet) return
    out.note(`${blobs} blobs: ${formatBytes(sent)} sent, ${formatBytes(reused)} were there`)
    for (const { manifest } of skipped) out.note(`left out, for not all of it is here: ${manifest.digest}`)
  }
}
