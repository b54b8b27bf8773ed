import fs from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { fromErrno, OrlopError } from '../errors.ts'
import type { CompressionTarget } from '../images/compress.ts'
import { type Copied, type CopyOptions, copy } from '../runtime/copy.ts'

import { openDestination, openSource, type TransportParts } from '../transports/open.ts'
import { type Place, parsePlace } from '../transports/place.ts'
import { collect, count, wantedPlatforms } from './arguments.ts'
import type { Context } from './context.ts'
import { lookupImage } from './lookup.ts'
import { formatBytes } from './output.ts'
import { progressFor } from './progress.ts'
import type { Progress } from './progress-lines.ts'
import type { Register } from './register.ts'
import { openResolver, type RegistryOptions } from './registry-options.ts'

interface CopyCommandOptions {
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
  readonly srcCreds?: string
  readonly destCreds?: string
  readonly srcPlainHttp?: boolean
  readonly destPlainHttp?: boolean
  readonly allowPrivateUrls?: boolean
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
    .option('--digestfile <file>', 'write the digest of what was copied to a file')
    .option('--max-concurrent-blobs <n>', 'blobs on their way at one time', count, 3)
  for (const [side, name] of sides) addSide(command, side, name)
  command
    .option('--allow-private-urls', 'let foreign layers come from loopback and private addresses')
    .addHelpText('after', places)
    .action((source: string, destination: string, options: CopyCommandOptions) =>
      run(context, parsePlace(source), parsePlace(destination), options),
    )
}

const sides = [
  ['src', 'source'],
  ['dest', 'destination'],
] as const

function addSide(command: Command, side: 'src' | 'dest', name: string): void {
  command
    .option(
      `--${side}-creds <name[:password]>`,
      `credentials for the ${name}; the password is asked for when missing`,
    )
    .option(`--${side}-plain-http`, `speak HTTP without TLS to the ${name}; loopback addresses get it anyway`)
}

async function run(context: Context, from: Place, to: Place, options: CopyCommandOptions): Promise<void> {
  const { signal } = context
  const progress = await progressFor(context.options)
  try {
    const chosen = copyOptions(options)
    await using reading = await partsFor(context, from, sourceRegistry(options), progress)
    await using writing = await partsFor(context, to, destinationRegistry(options), progress)
    await using source = await openSource(from, reading.parts, { signal })
    await using destination = await openDestination(to, writing.parts, {
      signal,
      onWait: holder =>
        progress.onProgress({
          type: 'retry',
          what: `destination ${destinationText(to)}`,
          attempt: 1,
          delayMs: 0,
          reason: `${holder} writes to it; waiting`,
        }),
    })
    const copied = await copy(source, destination, { ...chosen, onProgress: progress.onProgress, signal })
    if (options.digestfile !== undefined) await writeDigest(options.digestfile, copied)
    progress.end()
    show(context, copied, source.place, destination.place)
  } finally {
    progress.end()
  }
}

const destinationText = (place: Place): string => ('path' in place ? place.path : place.transport)

function copyOptions(options: CopyCommandOptions): CopyOptions {
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
    concurrency: options.maxConcurrentBlobs,
  }
}

const sourceRegistry = (options: CopyCommandOptions): RegistryOptions => ({
  ...(options.srcCreds !== undefined && { user: options.srcCreds }),
  ...(options.srcPlainHttp && { plainHttp: true }),
  ...(options.allowPrivateUrls && { allowPrivateUrls: true }),
})

const destinationRegistry = (options: CopyCommandOptions): RegistryOptions => ({
  ...(options.destCreds !== undefined && { user: options.destCreds }),
  ...(options.destPlainHttp && { plainHttp: true }),
})

/** Opens what the place's transport needs: a client of registries of its own, so that credentials stay on their side. */
async function partsFor(
  { signal, scope }: Context,
  place: Place,
  registry: RegistryOptions,
  { onProgress }: Progress,
): Promise<AsyncDisposable & { readonly parts: TransportParts }> {
  const nothing = async (): Promise<void> => undefined
  if (place.transport === 'store')
    return { parts: { store: await scope(), find: lookupImage }, [Symbol.asyncDispose]: nothing }
  if (place.transport !== 'docker') return { parts: {}, [Symbol.asyncDispose]: nothing }
  const resolver = await openResolver(place.reference, registry, { onProgress, signal })
  return { parts: { resolver }, [Symbol.asyncDispose]: () => resolver.close() }
}

async function writeDigest(file: string, { target }: Copied): Promise<void> {
  try {
    await fs.writeFile(file, target.digest)
  } catch (error) {
    throw fromErrno(error, `--digestfile ${file}`)
  }
}

function show({ out, options }: Context, copied: Copied, source: string, destination: string): void {
  const { target, left, signatures, totals } = copied
  const { blobs, total, fetched, reused } = totals
  if (options.json) {
    const changed = copied.source.digest !== target.digest
    out.json({
      source,
      destination,
      target,
      changed,
      signatures,
      left,
      blobs,
      bytes: { total, fetched, reused },
    })
    return
  }
  out.line(options.quiet ? target.digest : `${destination} ${target.digest}`)
  if (options.quiet) return
  out.note(`${blobs} blobs: ${formatBytes(fetched)} copied, ${formatBytes(reused)} were there`)
  for (const what of left) out.note(`left behind: ${what}`)
}

const places = `
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
say otherwise; several platforms come with an index that lists them alone.`
