import { OrlopError } from '../errors.ts'
import type { Repaired } from '../fsck/repair.ts'
import type { Finding, FsckReport } from '../fsck/types.ts'
import { formatReference, parseReference } from '../oci/reference.ts'
import { exitCodes } from './exit-code.ts'
import { formatBytes } from './output.ts'
import { createProgress } from './progress.ts'
import type { Register } from './register.ts'
import { addRegistryOptions, openResolver, type RegistryOptions } from './registry-options.ts'
import { stderr } from './stderr.ts'

interface CheckStoreOptions extends RegistryOptions {
  readonly quick?: boolean
  readonly repair?: boolean
  readonly from?: string
}

/** `orlop check` */
export const registerCheckStore: Register = (command, { out, signal, verbs, fail, options: global }) => {
  command
    .option('--quick', 'compare sizes, and read only indexes and manifests')
    .option('--repair', 'repair what was found; without it only what would be done is printed')
    .option('--from <reference>', 'image whose repository is asked first for good copies')
    .addHelpText('after', explanation)
  addRegistryOptions(command).action(async (options: CheckStoreOptions) => {
    if (options.from !== undefined && !options.repair) {
      throw new OrlopError('INVALID_ARGUMENT', '--from: only --repair fetches; give both')
    }
    const from = options.from === undefined ? undefined : formatReference(parseReference(options.from))
    if (options.user !== undefined && from === undefined) {
      throw new OrlopError('INVALID_ARGUMENT', '--user: name the registry that it is for with --from')
    }
    const { quick } = options
    const store = await verbs()
    if (!options.repair) {
      const report = await store.check({ quick, signal })
      show(report)
      if (report.findings.some(isBroken)) fail(exitCodes.corrupt)
      return
    }
    const progress = await createProgress(global.progress ?? 'auto', global.quiet ?? false, stderr())
    try {
      await using resolver = await openResolver(from ?? 'docker.io/library/none', options, {
        signal,
        onProgress: progress.onProgress,
      })
      const { repaired, quarantine, ...report } = await store.repair({ quick, resolver, from, signal })
      progress.end()
      show(report, repaired, quarantine)
      if (repaired.some(remains)) fail(exitCodes.corrupt)
    } finally {
      progress.end()
    }
  })

  const show = (report: FsckReport, repaired?: readonly Repaired[], quarantine?: string): void => {
    const { findings, checked, absent } = report
    if (global.json) {
      const clean = repaired ? !repaired.some(remains) : !findings.some(isBroken)
      out.json({ clean, findings, checked, absent, repaired: repaired?.map(outcomeOf), quarantine })
      return
    }
    const left = repaired ? repaired.filter(remains).map(({ finding }) => finding) : findings.filter(isBroken)
    if (global.quiet) {
      for (const { object } of left) out.line(object)
      return
    }
    if (repaired) for (const one of repaired) out.line(repairLine(one))
    else for (const finding of findings) for (const line of findingLines(finding)) out.line(line)
    for (const line of summary(report, left.length, repaired !== undefined)) out.note(line)
    if (quarantine !== undefined) out.note(`what was taken out is in ${quarantine}`)
  }
}

const explanation = `
Findings: missing (a record without file), truncated, wrong-digest, orphan (a file without record), dangling (a name that
leads nowhere), stale-ingest, label-mismatch (gc labels that leave out children), unreadable-record. Orphans and stale
ingests are what a crash leaves and a collection removes.

--repair fetches good copies from the registries that the blobs' labels name, or --from, and swaps them in when they have
been verified. It deletes nothing: what it takes out is in <root>/quarantine.

Exits with 5 when something is damaged, or is still damaged after --repair.`

const isBroken = ({ severity }: Finding): boolean => severity === 'broken'

const remains = ({ finding, outcome }: Repaired): boolean => isBroken(finding) && outcome !== 'repaired'

function* findingLines({ class: kind, severity, object, namespace, ...finding }: Finding): Generator<string> {
  yield `${kind}: ${object}${namespace === undefined ? '' : ` (namespace ${namespace})`}`
  yield `  expected ${finding.expected}; found ${finding.found}`
  if (severity === 'broken') yield `  repair: ${finding.repair}`
}

const repairLine = ({ finding: { class: kind, object, namespace }, outcome, detail }: Repaired): string =>
  `${outcome}: ${kind}: ${object}${namespace === undefined ? '' : ` (namespace ${namespace})`}: ${detail}`

const outcomeOf = ({ finding, outcome, detail }: Repaired) => ({
  class: finding.class,
  object: finding.object,
  namespace: finding.namespace,
  outcome,
  detail,
})

function* summary(
  { findings, checked, absent }: FsckReport,
  left: number,
  repaired: boolean,
): Generator<string> {
  const { records, blobs, bytes, namespaces, hashed } = checked
  const how = hashed ? 'every byte read' : 'only indexes and manifests read'
  yield `${records} records in ${namespaces} namespaces, ${blobs} blobs of ${formatBytes(bytes)}, ${how}`
  if (absent > 0) {
    yield `${absent} blobs that manifests name were not pulled; "orlop images check" tells which`
  }
  const harmless = findings.filter(finding => !isBroken(finding))
  if (left > 0) {
    yield `${left} damaged${repaired ? '' : '; "orlop check --repair" does what is said above'}`
  } else {
    const kinds = [...new Set(harmless.map(finding => finding.class))].map(
      kind => `${harmless.filter(finding => finding.class === kind).length} ${kind}`,
    )
    yield kinds.length > 0 ? `no damage; harmless: ${kinds.join(', ')}` : 'no damage'
  }
}
