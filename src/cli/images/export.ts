import process from 'node:process'
import { Option } from 'commander'
import type { ArchiveExport } from '../../archive/export.ts'
import { writeWholeFile } from '../../archive/write-file.ts'
import { OrlopError } from '../../errors.ts'
import { formatPath } from '../../handlers/path.ts'
import type { ImageRecord } from '../../images/types.ts'
import { save } from '../../runtime/export.ts'
import { hostWanted } from '../../runtime/select.ts'
import { collect, wantedPlatforms } from '../arguments.ts'
import { lookupImage } from '../lookup.ts'
import { formatBytes } from '../output.ts'
import { progressFor } from '../progress.ts'
import type { Register } from '../register.ts'
import { addRegistryOptions, openResolver, type RegistryOptions } from '../registry-options.ts'
import { sinceOf } from './since.ts'

interface ExportCommandOptions extends RegistryOptions {
  readonly platform?: readonly string[]
  readonly allPlatforms?: boolean
  readonly skipManifestJson?: boolean
  readonly skipNonDistributable?: boolean
  readonly missing: 'error' | 'skip' | 'fetch'
  readonly since?: string
}

/** `orlop images export` */
export const registerExport: Register = (noun, { out, signal, scope, options: global }) => {
  const command = noun
    .command('export <file> <image...>')
    .description(
      'write images to an archive, which docker, podman, skopeo and ctr load; - is stdout; equal images give equal bytes',
    )
    .option('--platform <os/arch>', 'platform to write, the host’s by default; may be repeated', collect)
    .option('--all-platforms', 'write all that the images have')
    .addOption(
      new Option('--missing <what>', 'when blobs are not here: fail, leave them out, or fetch them')
        .choices(['error', 'skip', 'fetch'])
        .default('error'),
    )
    .option(
      '--since <archive|image>',
      'leave out layers that who has this has: an archive, an image here, or one in a registry',
    )
    .option('--skip-manifest-json', 'leave out manifest.json, which docker load needs')
    .option('--skip-non-distributable', 'leave out layers that a licence keeps from being passed on')
    .option('--local', 'for scripts written for ctr: has no effect')
  addRegistryOptions(command).action(
    async (file: string, names: readonly string[], options: ExportCommandOptions) => {
      if (options.allPlatforms && options.platform) {
        throw new OrlopError('INVALID_ARGUMENT', 'give --platform or --all-platforms, not both')
      }
      if (file === '-' && process.stdout.isTTY) {
        throw new OrlopError(
          'INVALID_ARGUMENT',
          'export: stdout is a terminal; name a file, or send it on with | or >',
        )
      }
      const opened = await scope()
      const images: ImageRecord[] = []
      for (const name of names) images.push(await lookupImage(opened.images, name, { signal }))
      const progress = await progressFor(global)
      const platforms = options.allPlatforms ? undefined : wantedPlatforms(options.platform)
      try {
        const { onProgress } = progress
        const { since } = options
        const archive = await save(opened, images, {
          platforms,
          ...(since !== undefined && {
            since: await sinceOf(since, { scope: opened, registry: options, platforms, onProgress, signal }),
          }),
          dockerPlatform: hostWanted(),
          skipDockerManifest: options.skipManifestJson,
          skipNonDistributable: options.skipNonDistributable,
          onFile: onProgress,
          onMissing: options.missing === 'skip' ? 'skip' : 'error',
          ...(options.missing === 'fetch' && {
            fetchMissing: {
              resolver: reference => openResolver(reference, options, { signal, onProgress }),
              onProgress,
            },
          }),
          signal,
        })
        if (file === '-') for await (const chunk of archive.bytes()) await out.bytes(chunk)
        else await writeWholeFile(file, archive.bytes(), { signal })
        progress.end()
        show(file, images, archive)
      } finally {
        progress.end()
      }
    },
  )

  const show = (file: string, images: readonly ImageRecord[], archive: ArchiveExport): void => {
    const { size, blobs, omitted, missing, left } = archive
    for (const { path } of missing) out.note(`left out, for it is not here: ${formatPath(path)}`)
    for (const { name } of left) out.note(`left out, for nothing of it is here: image ${name}`)
    if (global.json && file !== '-') {
      out.json({
        file,
        images: images.map(({ name, target }) => ({ name, digest: target.digest })),
        size,
        blobs: blobs.length,
        omitted: omitted.map(({ digest }) => digest),
        missing: missing.map(({ descriptor }) => descriptor.digest),
      })
    } else if (!global.quiet) {
      out.note(`${blobs.length} blobs, ${formatBytes(size)}`)
      if (omitted.length > 0) out.note(`a partial archive: ${omitted.length} blobs were left out`)
    }
  }
}
