import { OrlopError } from '../../errors.ts'
import { diffImages, type FileDifference, type ImageDiff, type ImageSide } from '../../runtime/files/diff.ts'
import type { ConfigDifference } from '../../runtime/files/diff-config.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../exit-code.ts'
import { toJson } from '../output.ts'
import type { Register } from '../register.ts'
import { fileToJson } from './file-format.ts'
import { addInsideOptions, type InsideOptions, isRemote, Lines, limitsOf, withManifest } from './inside.ts'

interface DiffOptions extends InsideOptions {
  readonly times?: boolean
  readonly exitCode?: boolean
}

/** `orlop images diff` */
export const registerDiff: Register = (noun, context) => {
  const command = noun
    .command('diff <image> <other>')
    .description('show how two images differ: files by what they hold and are, and settings of the config')
    .option('--times', 'show files too that differ in nothing but when they were changed')
    .option('--exit-code', 'exit with 1 when they differ')
  addInsideOptions(command)
    .addHelpText('after', signsText)
    .action(async (name: string, other: string, options: DiffOptions) => {
      refuseOneUserForTwo(name, other, options)
      await withManifest(name, options, context, (provider, target) =>
        withManifest(other, options, context, async (otherProvider, otherTarget) => {
          const after = { provider: otherProvider, target: otherTarget }
          await compare({ provider, target }, after, options, context)
        }),
      )
    })
}

const signsText = `
A "+" is what only the second image has, "-" what only the first has, "~" a file that both have, with what differs in it.`

/** Credentials are for one registry: they must not go to the other. */
function refuseOneUserForTwo(name: string, other: string, options: DiffOptions): void {
  if (!isRemote(name, options) || !isRemote(other, options)) return
  if (options.user === undefined && options.registryTokenFile === undefined) return
  throw new OrlopError(
    'INVALID_ARGUMENT',
    '--user and --registry-token-file are for one registry, and both images are read in one; use orlop login',
  )
}

async function compare(
  before: ImageSide,
  after: ImageSide,
  options: DiffOptions,
  { out, signal, fail, options: global }: Context,
): Promise<void> {
  const looking = { times: options.times, limits: limitsOf(options), signal }
  const diff = await diffImages(before, after, looking)
  if (global.json) out.json(diffToJson(diff))
  else {
    const lines = new Lines(out)
    for (const difference of diff.config) for (const line of configLines(difference)) await lines.add(line)
    for (const difference of diff.files) await lines.add(fileLine(difference))
    await lines.end()
  }
  if (options.exitCode && diff.files.length + diff.config.length > 0) fail(exitCodes.failure)
}

const diffToJson = ({ files, config, sharedLayers }: ImageDiff): object => ({
  sharedLayers,
  config,
  files: files.map(difference => ({
    ...difference,
    ...('before' in difference && { before: fileToJson(difference.before) }),
    ...('after' in difference && { after: fileToJson(difference.after) }),
  })),
})

function configLines({ field, key, ...values }: ConfigDifference): readonly string[] {
  const place = key === undefined ? field : `${field} ${key}`
  const line = (sign: string, value: unknown): string =>
    `${sign} config ${place}: ${typeof value === 'string' ? value : toJson(value)}`
  return [
    ...('before' in values ? [line('-', values.before)] : []),
    ...('after' in values ? [line('+', values.after)] : []),
  ]
}

function fileLine(difference: FileDifference): string {
  const { path, change } = difference
  if (change === 'added') return `+ ${path}`
  if (change === 'removed') return `- ${path}`
  return `~ ${path} (${difference.aspects.join(', ')})`
}
