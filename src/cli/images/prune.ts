import type { FileBytes } from '../../content/fs-usage.ts'
import { criPinLabel, pinLabel } from '../../images/pin.ts'
import type { Pruned } from '../../runtime/prune.ts'
import type { MissedCap, PruneDecision, PrunePlan } from '../../runtime/prune-plan.ts'
import type { PruneRules } from '../../runtime/prune-rules.ts'
import { collect, count, duration, room, size } from '../arguments.ts'
import { exitCodes } from '../exit-code.ts'
import { formatBytes } from '../output.ts'
import type { Register } from '../register.ts'

interface PruneCommandOptions extends Omit<PruneRules, 'filters'> {
  readonly filter?: readonly string[]
  readonly dryRun?: boolean
}

/** `orlop images prune` */
export const registerPrune: Register = (noun, { out, signal, verbs, scope, fail, options: global }) => {
  noun
    .command('prune')
    .description('delete images by rules, and collect what only they kept')
    .option('--dry-run', 'print what would become of each image and why, and change nothing')
    .option('--all', 'choose every image that nothing protects')
    .option('--filter <filter>', 'choose images that one of these matches; may be repeated', collect)
    .option('--older-than <duration>', 'choose images not changed for so long, like 720h or 30d', duration)
    .option('--keep-last <number>', 'protect the newest versions of each repository', count)
    .option('--max-bytes <size>', 'choose more, oldest first, until all content takes no more', size)
    .option('--min-free <size|percent>', 'choose more, oldest first, until the device has so much room', room)
    .addHelpText('after', rulesText)
    .action(async ({ filter: filters, dryRun, ...rules }: PruneCommandOptions) => {
      const print = !dryRun && !global.json
      const onDeleted = ({ name }: { readonly name: string }): void => {
        if (print) out.line(name)
      }
      const options = { dryRun, onDeleted, signal }
      const { namespace } = await scope()
      const pruned = await (await verbs()).prune(namespace, { ...rules, filters }, options)
      const { plan } = pruned
      if (global.json) out.json(document(pruned, dryRun ?? false))
      else if (dryRun && global.quiet) for (const { name } of plan.deletions) out.line(name)
      else if (dryRun) printPlan(plan)
      else if (!global.quiet) for (const line of summary(pruned)) out.note(line)
      for (const cap of plan.missed) out.note(missedText(cap))
      if (plan.missed.length > 0) fail(exitCodes.exhausted)
    })

  const printPlan = (plan: PrunePlan): void => {
    out.table(['ACTION', 'REF', 'RULE', 'REASON'], plan.decisions.map(row))
    const { deletions, freed, garbage, before, after } = plan
    out.line(
      `${deletions.length} of ${plan.decisions.length} images would be deleted, which frees ${formatBytes(freed.bytes)}; ` +
        `${formatBytes(garbage.bytes)} are garbage already; content: ${formatBytes(before.bytes)} → ${formatBytes(after.bytes)}`,
    )
  }
}

const rulesText = `
At least one rule is needed. Pins protect always, --keep-last against all other rules. Of the rest, images are chosen
that match a --filter (if given) and are older than --older-than (if given). --keep-last alone chooses all that it does
not protect. --max-bytes and --min-free then choose more of what is left, oldest first, whether or not a filter matches.

Age is the time since the record was last changed: by a pull, a tag, or a new label. A version of a repository is a
digest, with all its names; --keep-last keeps the last so many by change, and by creation. Caps count the content of all
namespaces, but only images of this one are deleted. Pinned is an image with the label ${pinLabel} (see "orlop
images pin") or ${criPinLabel}=pinned. Sizes: 500MB counts in thousands, 500M and 500MiB in 1024.

Exits with 2 and does nothing when no rule is given, and with 8 when a cap cannot be met by all that may be deleted.

  orlop images prune --dry-run --older-than 30d --keep-last 3
  orlop images prune --max-bytes 20GiB --keep-last 1
  orlop images prune --min-free 10%`

/** What a cap lacks, and who keeps what is left. */
function missedText({ rule, missing, left }: MissedCap): string {
  const lack = rule === 'max-bytes' ? 'too much is left' : 'of room are missing'
  const keepers: ReadonlyArray<readonly [number, string]> = [
    [left.held, 'leases, labels, ingests and other namespaces'],
    [left.pinned, 'pinned images'],
    [left.keepLast, 'the last versions of repositories'],
    [left.others, 'files that are no content'],
  ]
  const kept = keepers
    .filter(([bytes]) => bytes > 0)
    .map(([bytes, who]) => `${who} keep ${formatBytes(bytes)}`)
  return `orlop: --${rule} cannot be met: ${formatBytes(missing)} ${lack}; ${kept.join(', ') || 'there is no content'}`
}

const row = ({ image, action, rule, reason }: PruneDecision): readonly string[] => [
  action,
  image.name,
  rule,
  reason,
]

function* summary({ plan, deleted, skipped, collection }: Pruned): Generator<string> {
  const { length } = deleted
  const bytes = formatBytes(collection?.bytes ?? 0)
  yield `orlop: deleted ${length} of ${plan.decisions.length} images; the collection freed ${bytes}`
  for (const { name } of skipped) yield `orlop: image ${name}: changed meanwhile, left alone`
}

const document = ({ plan, deleted, skipped, collection }: Pruned, dryRun: boolean): unknown => ({
  dryRun,
  images: plan.decisions.map(({ image, ...decision }) => ({
    name: image.name,
    digest: image.target.digest,
    updatedAt: image.updatedAt,
    ...decision,
  })),
  ...bytesOf(plan),
  missed: plan.missed,
  deleted: deleted.map(({ name }) => name),
  skipped: skipped.map(({ name }) => name),
  ...(collection && { collection }),
})

const bytesOf = ({ before, garbage, freed, after }: PrunePlan): Readonly<Record<string, FileBytes>> => ({
  before,
  garbage,
  freed,
  after,
})
