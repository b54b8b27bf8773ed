import type { Command } from 'commander'
import { OrlopError } from '../errors.ts'
import type { FindReferrers } from '../handlers/referrers.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { RemoteRepository } from '../remotes/types.ts'
import { type Pulled, pull } from '../runtime/pull.ts'
import { collect, count, newLabels, wantedPlatforms } from './arguments.ts'
import type { Context } from './context.ts'
import { recordChoice, remoteNames, withFirst } from './names.ts'
import { formatBytes } from './output.ts'
import { addPolicyOptions, openPolicy, type PolicyOptions, signaturePlacesOf } from './policy-options.ts'
import { progressFor } from './progress.ts'
import { addRegistryOptions, openResolver, type RegistryOptions } from './registry-options.ts'

interface PullCommandOptions extends RegistryOptions, PolicyOptions {
  readonly platform?: readonly string[]
  readonly allPlatforms?: boolean
  readonly maxConcurrentDownloads?: number
  readonly metadataOnly?: boolean
  readonly referrers?: boolean
  readonly removeSignatures?: boolean
  readonly label?: readonly string[]
}

/** Makes `command` a pull: `orlop images pull`, and `orlop content fetch`, which is the same under ctr's other name. */
export function addPull(command: Command, context: Context): void {
  const { out, signal, scope, options: global } = context
  command
    .argument('<reference>', 'what to pull: busybox, ghcr.io/owner/name:tag, localhost:5000/name@sha256:…')
    .option('--platform <os/arch>', 'platform to pull, the host’s by default; may be repeated', collect)
    .option('--all-platforms', 'pull all that the image has')
    .option(
      '--max-concurrent-downloads <n>',
      'blobs on their way at one time; 3, and 8 small ones, unless told',
      count,
    )
    .option('--metadata-only', 'copy indexes, manifests and configs, and no layers')
    .option('--label <key=value>', 'label of the image; may be repeated', collect)
    .option('--referrers', 'pull along what refers to the image: signatures, bills of materials')
    .option('--remove-signatures', 'leave the signatures of the image behind')
  addRegistryOptions(addPolicyOptions(command)).action(async (text: string, options: PullCommandOptions) => {
    if (options.allPlatforms && options.platform) {
      throw new OrlopError('INVALID_ARGUMENT', 'give --platform or --all-platforms, not both')
    }
    const names = await remoteNames(text, options, { signal })
    const platforms = options.allPlatforms ? undefined : wantedPlatforms(options.platform)
    const labels = newLabels(options.label)
    const policy = await openPolicy(options, { signal })
    const opened = await scope()
    const progress = await progressFor(global)
    const work = async (reference: string): Promise<Pulled> => {
      await using resolver = await openResolver(reference, options, {
        signal,
        onProgress: progress.onProgress,
      })
      const signatures = resolver.signatures(signaturePlacesOf(options))
      return await pull({ resolver, scope: opened, policy, signatures }, reference, {
        platforms,
        labels,
        metadataOnly: options.metadataOnly,
        referrers: options.referrers
          ? referrersAt(await resolver.repository(reference, { signal }))
          : undefined,
        removeSignatures: options.removeSignatures,
        concurrency: options.maxConcurrentDownloads,
        onProgress: progress.onProgress,
        signal,
      })
    }
    try {
      const pulled = await withFirst(text, names, work, { signal })
      await recordChoice(names, { out, signal })
      progress.end()
      show(pulled)
    } finally {
      progress.end()
    }
  })

  const show = ({ image, replaced, totals }: Pulled): void => {
    const { name, target } = image
    if (global.json) {
      const { blobs, total, fetched, reused } = totals
      out.json({ name, target, replaced, blobs, bytes: { total, fetched, reused } })
      return
    }
    out.line(global.quiet ? name : `${name} ${target.digest}`)
    if (global.quiet) return
    const { blobs, fetched, reused } = totals
    out.note(`${blobs} blobs: ${formatBytes(fetched)} fetched, ${formatBytes(reused)} were here`)
    if (replaced) out.note(`the name pointed at ${replaced.digest} before`)
  }
}

const referrersAt =
  (repository: Pick<RemoteRepository, 'referrers'>): FindReferrers =>
  async ({ digest }, options) => {
    const found: Descriptor[] = []
    for await (const desc of repository.referrers(digest, options)) found.push(desc)
    return found
  }
