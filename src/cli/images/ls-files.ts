import type { Provider } from '../../content/types.ts'
import { OrlopError } from '../../errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { layerFiles, sortedImageFiles } from '../../runtime/files/list.ts'
import { isWithin, rooted } from '../../runtime/files/names.ts'
import type { ImageFile, LayerMark } from '../../runtime/files/types.ts'
import type { Context } from '../context.ts'
import type { Register } from '../register.ts'
import { fileToJson, formatLong } from './file-format.ts'
import { addInsideOptions, Documents, type InsideOptions, Lines, limitsOf, withManifest } from './inside.ts'

interface ListFilesOptions extends InsideOptions {
  readonly layers?: boolean
  readonly long?: boolean
}

/** `orlop images ls-files` */
export const registerListFiles: Register = (noun, context) => {
  const command = noun
    .command('ls-files <image> [path]')
    .description('list the files of an image, or those at and below a path, without unpacking it')
    .option('-l, --long', 'mode, owner, size, time and layer too')
    .option('--layers', 'what each layer has, lowest first, with what it removes')
  addInsideOptions(command)
    .addHelpText('after', layersText)
    .action(async (name: string, path: string | undefined, options: ListFilesOptions) => {
      const top = rooted(path ?? '/', 'path')
      await withManifest(name, options, context, async (provider, manifest, known) => {
        const found = options.layers
          ? await printLayers(provider, manifest, top, options, context)
          : await printFiles(provider, manifest, top, options, context)
        if (!found && path !== undefined)
          throw new OrlopError('NOT_FOUND', `${known}: nothing at or below ${JSON.stringify(top)}`)
      })
    })
}

const layersText = `
With --layers a line that begins with "-" is a whiteout: the path is gone from the layers below. "o" is a directory that
hides what the layers below have in it.`

async function printFiles(
  provider: Provider,
  manifest: Descriptor,
  top: string,
  options: ListFilesOptions,
  { out, signal, options: global }: Context,
): Promise<boolean> {
  const lines = new Lines(out)
  const documents = new Documents(out)
  let found = false
  for await (const file of sortedImageFiles(provider, manifest, { top, limits: limitsOf(options), signal })) {
    found = true
    if (global.json) await documents.add(fileToJson(file))
    else await lines.add(options.long && !global.quiet ? formatLong(file) : file.path)
  }
  if (global.json) await documents.end()
  await lines.end()
  return found
}

async function printLayers(
  provider: Provider,
  manifest: Descriptor,
  top: string,
  options: ListFilesOptions,
  { out, signal, options: global }: Context,
): Promise<boolean> {
  const lines = new Lines(out)
  const documents: object[] = []
  let shown = -1
  for await (const file of layerFiles(provider, manifest, { limits: limitsOf(options), signal })) {
    if (!isWithin(file.path, top)) continue
    const { index, digest } = file.layer
    if (global.json) documents.push(fileToJson(file))
    else {
      if (index !== shown) await lines.add(`layer ${index} ${digest}`)
      await lines.add(lineInLayer(file, options.long === true))
    }
    shown = index
  }
  if (global.json) out.json(documents)
  await lines.end()
  return shown >= 0
}

function lineInLayer(file: ImageFile | LayerMark, long: boolean): string {
  if (!('mode' in file)) return `${file.type === 'whiteout' ? '-' : 'o'} ${file.path}`
  return `  ${long ? formatLong(file) : file.path}`
}
