import { imageFile } from '../../runtime/files/find.ts'
import type { Register } from '../register.ts'
import { fileToJson } from './file-format.ts'
import { addInsideOptions, type InsideOptions, limitsOf, withManifest } from './inside.ts'

interface CatOptions extends InsideOptions {
  readonly verify?: boolean
}

/** `orlop images cat` */
export const registerCat: Register = (noun, context) => {
  const { out, signal, options: global } = context
  const command = noun
    .command('cat <image> <path>')
    .description('write the bytes of a file of an image to stdout; links are followed within the image')
    .option(
      '--verify',
      'then read the rest of the layer, and fail in the end when it is not what its digests say',
    )
  addInsideOptions(command)
    .addHelpText('after', '\nWith --json what is known of the file is written, not its bytes.')
    .action(async (name: string, path: string, { verify, ...options }: CatOptions) => {
      await withManifest(name, options, context, async (provider, manifest) => {
        const looking = { limits: limitsOf(options), verify, signal }
        await using found = await imageFile(provider, manifest, path, looking)
        const give = global.json ? async () => {} : out.bytes
        if (verify || !global.json) for await (const chunk of found.body) await give(chunk)
        if (global.json) out.json(fileToJson(found.file))
      })
    })
}
