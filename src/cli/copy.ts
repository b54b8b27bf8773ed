import fs from 'node:fs/promises'
import { Option } from 'commander'
import { fromErrno, OrlopError } from '../errors.ts'
import type { CompressionTarget } from '../images/compress.ts'
import type { Copied } from '../runtime/copy.ts'
import { type CopiedPlaces, type CopyPlacesOptions, copyPlaces } from '../runtime/copy-places.ts'
import type { TransportParts } from '../transports/open.ts'
import { type Place, parsePlace } from '../transports/place.ts'
import { collect, count, wantedPlatforms } from './arguments.ts'
import type { Context } from './context.ts'
import { addSides, registryOf, type Side } from './copy-sides.ts'
import { lookupImage } from './lookup.ts'
import { formatBytes } from './output.ts'
import { addPolicyOptions, openPolicy, type PolicyOptions, signaturePlacesOf } from './policy-options.ts'
import { progressFor } from './progress.ts'
import type { Progress } from './progress-lines.ts'
import type { Register } from './register.ts'
import { openResolver } from './registry-options.ts'

interface CopyCommandOptions extends PolicyOptions {
  readonly all?: boolean
  readonly multiArch?: 'system' | 'all' | 'index-only'
  readonly platform?: readonly string[]
  readonly format?: 'oci' | 'v2s2'
  readonly destCompress?: CompressionTarget['type']
  readonly destCompressLevel?: number
  readonly preserveDigests?: boolean
  readonly removeSignatures?: boolean
  readonly digestfile?: string
  readonly maxConcurrentBlobs?: number
  readonly referrers?: boolean
  readonly allowNonDistributableBlobs?: boolean
}

/** `orlop copy` */
export const registerCopy: Register = (command, context) => {
  command
    .argument('<source>', 'docker://…, oci:…, oci-archive:…, docker-archive:…, dir:… or store:…')
    .argument('<destination>', 'the same')
    .option('--all', 'copy all platforms, as --multi-arch all')
    .addOption(
      new Option('--multi-arch <what>', 'of an index: one platform, everything, or the index alone')
        .choices(['system', 'all', 'index-only'])
        .conflicts(['all']),
    )
    .option('--platform <os/arch>', 'platform to copy, the host’s by default; may be repeated', collect)
    .addOption(
      new Option('-f, --format <format>', 'turn manifests and configs into this format').choices([
        'oci',
        'v2s2',
      ]),
    )
    .addOption(
      new Option('--dest-compress <compression>', 'compress layers so').choices(['gzip', 'zstd', 'none']),
    )
    .option('--dest-compress-level <n>', 'gzip: 0 to 9, zstd: 1 to 22', Number)
    .option('--preserve-digests', 'fail instead of changing a digest')
    .option('--remove-signatures', 'leave signatures behind')
    .option('--referrers', 'copy along what refers to the image: signatures, bills of materials')
    .option('--allow-non-distributable-blobs', 'push layers too that a licence keeps from being distributed')
    .option('--digestfile <file>', 'write the digest of what was copied to a file')
    .option(
      '--max-concurrent-blobs <n>',
      'blobs on their way at one time; 3, and 8 small ones, unless told',
      count,
    )
  addSides(addPolicyOptions(command))
  command
    .addHelpText('after', help)
    .action((source: string, destination: string, options: CopyCommandOptions) =>
      run(context, parsePlace(source), parsePlace(destination), options),
    )
}

async function run(context: Context, from: Place, to: Place, options: CopyCommandOptions): Promise<void> {
  const { signal } = context
  const progress = await progressFor(context.options)
  try {
    const chosen = copyOptions(options)
    const policy = await openPolicy(options, { signal })
    await using reading = await partsFor(context, from, 'src', options, progress)
    await using writing = await partsFor(context, to, 'dest', options, progress)
    const copied = await copyPlaces(
      from,
      to,
      { source: reading.parts, destination: writing.parts },
      { ...chosen, policy, onProgress: progress.onProgress, signal },
    )
    if (options.digestfile !== undefined) await writeDigest(options.digestfile, copied)
    progress.end()
    show(context, copied)
  } finally {
    progress.end()
  }
}

function copyOptions(options: CopyCommandOptions): CopyPlacesOptions {
  const multiArch = options.all ? 'all' : options.multiArch
  if (multiArch !== undefined && multiArch !== 'system' && options.platform)
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `give --platform or ${options.all ? '--all' : '--multi-arch'}, not both`,
    )
  const { destCompress: type, destCompressLevel: level } = options
  if (type === undefined && level !== undefined)
    throw new OrlopError('INVALID_ARGUMENT', '--dest-compress-level: give --dest-compress too')
  return {
    multiArch,
    platforms: wantedPlatforms(options.platform),
    format: options.format === 'v2s2' ? 'docker' : options.format,
    compression: type && { type, level },
    preserveDigests: options.preserveDigests,
    removeSignatures: options.removeSignatures,
    referrers: options.referrers,
    nonDistributable: options.allowNonDistributableBlobs,
    concurrency: options.maxConcurrentBlobs,
  }
}

/** Opens what the place's transport needs: a client of registries of its own, so that credentials stay on their side. */
async function partsFor(
  { signal, scope }: Context,
  place: Place,
  side: Side,
  options: CopyCommandOptions,
  { onProgress }: Progress,
): Promise<AsyncDisposable & { readonly parts: TransportParts }> {
  const nothing = async (): Promise<void> => undefined
  if (place.transport === 'store')
    return { parts: { store: await scope(), find: lookupImage }, [Symbol.asyncDispose]: nothing }
  if (place.transport !== 'docker') return { parts: {}, [Symbol.asyncDispose]: nothing }
  const registry = registryOf(side, { ...options }, place)
  const resolver = await openResolver(place.reference, registry, { onProgress, signal })
  const signatures = resolver.signatures(signaturePlacesOf(options))
  return { parts: { resolver, signatures }, [Symbol.asyncDispose]: () => resolver.close() }
}

async function writeDigest(file: string, { target }: Copied): Promise<void> {
  try {
    await fs.writeFile(file, target.digest)
  } catch (error) {
    throw fromErrno(error, `--digestfile ${file}`)
  }
}

function show({ out, options }: Context, copied: CopiedPlaces): void {
  const { target, left, signatures, referrers, totals, places } = copied
  const { blobs, total, fetched, reused } = totals
  if (options.json) {
    const changed = copied.source.digest !== target.digest
    out.json({
      ...places,
      target,
      changed,
      signatures,
      referrers,
      left,
      blobs,
      bytes: { total, fetched, reused },
    })
    return
  }
  const line = options.quiet ? target.digest : `${places.destination} ${target.digest}`
  // Where the image itself went to stdout.
  if (/^[a-z-]+-archive:\/dev\/stdout\b/.test(places.destination)) out.note(line)
  else out.line(line)
  if (options.quiet) return
  out.note(`${blobs} blobs: ${formatBytes(fetched)} copied, ${formatBytes(reused)} were there`)
  for (const what of left) out.note(`left behind: ${what}`)
}

const help = `
Places:
  docker://host/repository:tag      a registry
  oci:directory[:name|:@0]          an OCI layout; the name is the annotation org.opencontainers.image.ref.name
  oci-archive:file.tar[:name|:@0]   an OCI layout in a tar
  docker-archive:file.tar[:name:tag|:@0]
                                    an archive as docker save writes it
  dir:directory                     the parts of one image as files
  store:name                        this store (--root, --namespace)

An image keeps its digest unless --format or --dest-compress change it, or the destination cannot take it: an OCI layout takes
OCI's format (with --preserve-digests also Docker's). Of an index the host's platform is copied unless --all or --platform
say otherwise; several platforms come with an index that lists them alone.

Options of registries count for both sides. Each of them with src- or dest- in front is for that side alone, and goes before:
--src-plain-http, --dest-authfile. Signatures come along, or the copy is refused.`
