import { Option } from 'commander'
import { OrlopError } from '../../errors.ts'
import type { CompressionTarget } from '../../images/compress.ts'
import type { Change } from '../../images/convert/change.ts'
import { anyOf, type Matcher, onlyStrict } from '../../oci/matcher.ts'
import { hostPlatform, parsePlatform } from '../../oci/platform.ts'
import { parseReference } from '../../oci/reference.ts'
import { convert } from '../../runtime/convert.ts'
import { collect, count } from '../arguments.ts'
import { lookupImage } from '../lookup.ts'
import { progressFor } from '../progress.ts'
import type { Register } from '../register.ts'

interface ConvertCommandOptions {
  readonly uncompress?: boolean
  readonly gzip?: boolean
  readonly gzipLevel?: number
  readonly zstd?: boolean
  readonly zstdCompressionLevel?: number
  readonly oci?: boolean
  readonly docker?: boolean
  readonly platform?: readonly string[]
  readonly allPlatforms?: boolean
  readonly maxConcurrentBlobs?: number
}

/** `orlop images convert` */
export const registerConvert: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('convert <source> <name>')
    .description(
      'make an image of an image: layers compressed otherwise, manifests of another format, fewer platforms',
    )
    .addOption(new Option('--uncompress', 'layers without compression').conflicts(['gzip', 'zstd']))
    .addOption(new Option('--gzip', 'layers compressed with gzip').conflicts(['zstd']))
    .option('--gzip-level <n>', '0 to 9, default 6', Number)
    .option('--zstd', 'layers compressed with zstd; needs Node 22.15 or later')
    .option('--zstd-compression-level <n>', '1 to 22, default 3', Number)
    .addOption(new Option('--oci', 'Docker’s media types become OCI’s').conflicts(['docker']))
    .option('--docker', 'OCI’s media types become Docker’s')
    .option('--platform <os/arch>', 'keep this platform, the host’s by default; may be repeated', collect)
    .option('--all-platforms', 'keep all platforms')
    .option('--max-concurrent-blobs <n>', 'layers that are converted at one time', count, 2)
    .action(async (source: string, name: string, options: ConvertCommandOptions) => {
      if (options.allPlatforms && options.platform)
        throw new OrlopError('INVALID_ARGUMENT', 'give --platform or --all-platforms, not both')
      const change = changeOf(options)
      parseReference(name)
      const opened = await scope()
      const record = await lookupImage(opened.images, source, { signal })
      const progress = await progressFor(global)
      try {
        const { image, lost } = await convert(opened, record, name, {
          change,
          platform: options.allPlatforms ? undefined : matcherOf(options.platform),
          concurrency: options.maxConcurrentBlobs,
          onProgress: progress.onProgress,
          signal,
        })
        progress.end()
        const { target } = image
        if (global.json) out.json({ name, target, source: record.target, lost })
        else out.line(global.quiet ? name : target.digest)
        for (const what of lost) out.note(`lost: ${what}`)
      } finally {
        progress.end()
      }
    })
}

function changeOf(options: ConvertCommandOptions): Change {
  const compression = compressionOf(options)
  const format = options.oci ? 'oci' : options.docker ? 'docker' : undefined
  return { ...(format && { format }), ...(compression && { compression }) }
}

function compressionOf(options: ConvertCommandOptions): CompressionTarget | undefined {
  const { uncompress, gzip, gzipLevel, zstd, zstdCompressionLevel } = options
  if (gzipLevel !== undefined && !gzip)
    throw new OrlopError('INVALID_ARGUMENT', '--gzip-level: give --gzip too')
  if (zstdCompressionLevel !== undefined && !zstd)
    throw new OrlopError('INVALID_ARGUMENT', '--zstd-compression-level: give --zstd too')
  if (uncompress) return { type: 'none' }
  if (gzip) return { type: 'gzip', level: gzipLevel }
  return zstd ? { type: 'zstd', level: zstdCompressionLevel } : undefined
}

/** Each platform strictly, as ctr takes them. */
const matcherOf = (texts: readonly string[] | undefined): Matcher =>
  texts === undefined ? onlyStrict(hostPlatform()) : anyOf(...texts.map(text => parsePlatform(text)))
