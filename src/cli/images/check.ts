import { formatPath } from '../../handlers/path.ts'
import type { Completeness, EntryReport } from '../../images/completeness.ts'
import { completeness } from '../../images/completeness.ts'
import type { ImageRecord } from '../../images/types.ts'
import { formatPlatformAll } from '../../oci/platform.ts'
import type { Wanted } from '../../runtime/select.ts'
import { hostWanted } from '../../runtime/select.ts'
import { collect, wantedPlatforms } from '../arguments.ts'
import { exitCodes } from '../exit-code.ts'
import { lookupImage } from '../lookup.ts'
import { formatBytes } from '../output.ts'
import type { Register } from '../register.ts'
import { asked } from './asked.ts'

interface CheckCommandOptions {
  readonly platform?: readonly string[]
  readonly allPlatforms?: boolean
  readonly deep?: boolean
}

interface Checked {
  readonly image: ImageRecord
  readonly report: Completeness
  readonly complete: boolean
}

/** `orlop images check` */
export const registerCheck: Register = (noun, { out, signal, scope, fail, options: global }) => {
  noun
    .command('check [image...]')
    .description('report for each platform which blobs are here, and name those that are missing')
    .option('--platform <os/arch>', 'platform that must be complete; may be repeated', collect)
    .option('--all-platforms', 'all platforms must be complete')
    .option('--deep', 'read and hash every byte, and name corrupt blobs')
    .addHelpText('after', exitText)
    .action(async (names: string[], options: CheckCommandOptions) => {
      const wanted = options.platform ? wantedPlatforms(options.platform) : undefined
      const { images, disk } = await scope()
      const records: ImageRecord[] = []
      if (names.length === 0) for await (const image of images.list([], { signal })) records.push(image)
      for (const name of names) records.push(await lookupImage(images, name, { signal }))
      const checked: Checked[] = []
      for (const image of records) {
        const report = await completeness(disk, image.target, { deep: options.deep, signal })
        checked.push({ image, report, complete: isComplete(report, wanted, options.allPlatforms ?? false) })
      }
      show(checked)
      if (checked.some(({ report }) => report.entries.some(({ corrupt }) => corrupt.length > 0)))
        fail(exitCodes.corrupt)
      else if (checked.some(({ complete }) => !complete)) fail(exitCodes.incomplete)
    })

  const show = (checked: readonly Checked[]): void => {
    if (global.json) out.json(checked.map(document))
    else if (global.quiet)
      for (const { image } of checked.filter(({ complete }) => complete)) out.line(image.name)
    else if (checked.length > 0) showTable(checked)
  }

  const showTable = (checked: readonly Checked[]): void => {
    out.table(
      ['REF', 'PLATFORM', 'DIGEST', 'STATUS', 'SIZE'],
      checked.flatMap(({ image, report }) => report.entries.map(entry => row(image, entry))),
    )
    for (const { image, report } of checked) {
      for (const entry of report.entries) for (const line of problems(image, entry)) out.line(line)
    }
  }
}

const exitText = `
Exits with 4 when what was asked for is not complete, with 5 when a blob is corrupt. Asked for is what --platform names,
or all with --all-platforms; otherwise the host's platform, or any one if the image does not offer the host's.`

/** Whether every platform that was asked for is complete. */
function isComplete({ entries }: Completeness, wanted: readonly Wanted[] | undefined, all: boolean): boolean {
  const real = entries.filter(({ kind }) => kind !== 'attestation')
  if (all || real.length === 0) return entries.every(({ state }) => state === 'complete')
  if (wanted) return wanted.every(({ matcher }) => asked(real, matcher)?.state === 'complete')
  const host = asked(real, hostWanted().matcher)
  return host ? host.state === 'complete' : real.some(({ state }) => state === 'complete')
}

function row(image: ImageRecord, entry: EntryReport): readonly string[] {
  const { manifest, state, blobs, bytes, missing } = entry
  // A manifest that is not here cannot name what else it needs.
  const isKnown = !missing.some(({ descriptor }) => descriptor.digest === manifest.digest)
  return [
    image.name,
    platformOf(entry),
    manifest.digest,
    `${state} (${blobs.present}/${isKnown ? blobs.required : '?'})`,
    `${formatBytes(bytes.present)}/${isKnown ? formatBytes(bytes.required) : '?'}`,
  ]
}

function platformOf({ kind, platform }: EntryReport): string {
  if (kind !== 'platform') return `(${kind})`
  return platform ? formatPlatformAll(platform) : '?'
}

function* problems(image: ImageRecord, { state, missing, corrupt }: EntryReport): Generator<string> {
  for (const { path, expected, got } of corrupt) {
    yield `corrupt: ${image.name}: ${formatPath(path)}: expected ${expected}, got ${got}`
  }
  // Of an entry that was never pulled the table says enough.
  if (state === 'missing' && missing.length === 1 && missing[0]?.path.length !== 1) return
  for (const { path } of missing) yield `missing: ${image.name}: ${formatPath(path)}`
}

const document = ({ image, report, complete }: Checked): unknown => ({
  name: image.name,
  target: image.target,
  complete,
  state: report.state,
  entries: report.entries.map(({ path, missing, corrupt, ...entry }) => ({
    ...entry,
    path: path.map(({ digest }) => digest),
    missing: missing.map(({ descriptor, path: way }) => ({
      ...descriptor,
      path: way.map(({ digest }) => digest),
    })),
    corrupt: corrupt.map(({ descriptor, path: way, ...digests }) => ({
      ...descriptor,
      path: way.map(({ digest }) => digest),
      ...digests,
    })),
  })),
})
