import { open } from 'node:fs'
import fs from 'node:fs/promises'
import net from 'node:net'
import process from 'node:process'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { Option } from 'commander'
import { FileSource } from '../../archive/file-source.ts'
import { isInterruption } from '../../content/interrupted.ts'
import { fromErrno, OrlopError } from '../../errors.ts'
import { type Loaded, type LoadOptions, load } from '../../runtime/import.ts'
import type { Scope } from '../../runtime/runtime.ts'
import { collect, newLabels, wantedPlatforms } from '../arguments.ts'
import { progressFor } from '../progress.ts'
import type { Register } from '../register.ts'

interface ImportCommandOptions {
  readonly baseName?: string
  readonly digests?: boolean
  readonly skipDigestForNamed?: boolean
  readonly indexName?: string
  readonly platform?: readonly string[]
  readonly allPlatforms?: boolean
  readonly compressBlobs?: boolean
  readonly discardUnpackedLayers?: boolean
  readonly label?: readonly string[]
  readonly missing: 'error' | 'skip'
}

/** `orlop images import` */
export const registerImport: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('import <file>')
    .description('take the images of an archive: an OCI layout, or what "docker save" writes; - reads stdin')
    .option('--platform <os/arch>', 'platform to take, the host’s by default; may be repeated', collect)
    .option('--all-platforms', 'take all that the archive has')
    .option(
      '--base-name <name>',
      'what goes before a name that is only a tag, and where other names must begin',
    )
    .option('--digests', 'name images by their digest too: <base-name>@<digest>')
    .option('--skip-digest-for-named', 'with --digests: not those that have a name')
    .option('--index-name <name>', 'name for the whole index')
    .addOption(
      new Option('--missing <what>', 'when blobs are neither in the archive nor in the store')
        .choices(['error', 'skip'])
        .default('error'),
    )
    .option('--compress-blobs', 'make gzip of layers of a "docker save" that are not compressed')
    .option('--discard-unpacked-layers', 'do not keep layers')
    .option('--label <key=value>', 'label of the images; may be repeated', collect)
    .option('--no-unpack', 'for scripts written for ctr: nothing is unpacked here')
    .option('--local', 'for scripts written for ctr: has no effect')
    .option('--sync-fs', 'for scripts written for ctr: what is stored is always synced')
    .action(async (file: string, options: ImportCommandOptions) => {
      if (options.allPlatforms && options.platform) {
        throw new OrlopError('INVALID_ARGUMENT', 'give --platform or --all-platforms, not both')
      }
      const platforms = options.allPlatforms ? undefined : wantedPlatforms(options.platform)
      const labels = newLabels(options.label)
      const opened = await scope()
      const progress = await progressFor(global)
      try {
        const loaded = await loadFrom(opened, file, {
          what: file === '-' ? 'stdin' : file,
          platforms,
          labels,
          base: options.baseName,
          digests: options.digests,
          skipDigestForNamed: options.skipDigestForNamed,
          indexName: options.indexName,
          onMissing: options.missing,
          compress: options.compressBlobs,
          discardLayers: options.discardUnpackedLayers,
          onFile: progress.onProgress,
          signal,
        })
        progress.end()
        show(loaded)
      } finally {
        progress.end()
      }
    })

  const show = ({ format, images, skipped }: Loaded): void => {
    if (global.json) {
      out.json({
        format,
        images: images.map(({ image: { name, target }, replaced }) => ({ name, target, replaced })),
        skipped,
      })
      return
    }
    for (const { image, replaced } of images) {
      out.line(global.quiet ? image.name : `${image.name} ${image.target.digest}`)
      if (replaced && !global.quiet) out.note(`${image.name} pointed at ${replaced.digest} before`)
    }
    if (!global.quiet) for (const name of skipped) out.note(`${name}: not for the platform, left out`)
  }
}

/** How often the process that holds the store may end beneath one import. */
const maxInterruptions = 50

/**
 * Imports a file, stdin, or a pipe, as a shell's `<(…)` is one. A file is read again when the process that holds the store
 * ended beneath; what was stored before is passed over then.
 */
async function loadFrom(scope: Scope, file: string, options: LoadOptions): Promise<Loaded> {
  const { signal } = options
  if (file === '-') return load(scope, closedBy(process.stdin, signal), options)
  const stats = await fs.stat(file).catch(() => undefined)
  if (stats?.isFIFO()) return load(scope, closedBy(await openPipe(file), signal), options)
  for (let left = maxInterruptions; ; left--) {
    try {
      return await load(scope, new FileSource(file, { signal }), options)
    } catch (error) {
      if (!isInterruption(error) || left === 0) throw error
    }
  }
}

function closedBy(pipe: Readable, signal: AbortSignal | undefined): Readable {
  signal?.addEventListener('abort', () => pipe.destroy(), { once: true })
  return pipe
}

/** As a socket, for a read of a file cannot be given up. */
async function openPipe(file: string): Promise<Readable> {
  try {
    return new net.Socket({ fd: await promisify(open)(file, 'r'), readable: true, writable: false })
  } catch (error) {
    throw fromErrno(error, `file ${file}`)
  }
}
