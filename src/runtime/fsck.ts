import { FsLayout } from '../content/fs-layout.ts'
import { type FsckOptions, fsck } from '../fsck/fsck.ts'
import { Quarantine } from '../fsck/quarantine.ts'
import { readRecords } from '../fsck/records.ts'
import { type Repaired, type RepairOptions, repair } from '../fsck/repair.ts'
import { registrySources } from '../fsck/sources.ts'
import type { Finding, FsckParts, FsckReport } from '../fsck/types.ts'
import { damageOf } from '../metadata/level-log.ts'
import type { AbortOptions } from '../options.ts'
import type { Resolver } from '../remotes/types.ts'
import { layoutOf } from './root.ts'
import type { Runtime } from './runtime.ts'

/**
 * Checks the whole store, all namespaces, and changes nothing; see `fsck`.
 *
 * @throws DATA_LOSS  the database itself is damaged; see `rebuild`
 */
export async function checkStore(runtime: Runtime, options?: FsckOptions): Promise<FsckReport> {
  const report = await fsck(partsOf(runtime), options)
  const { metadata } = layoutOf(runtime.root)
  const damage = await damageOf(metadata)
  if (damage === undefined) return report
  return { ...report, findings: [...report.findings, journalFinding(metadata, damage)] }
}

/** Which records are missing cannot be known, so no check finds them. */
const journalFinding = (metadata: string, damage: string): Finding => ({
  class: 'unreadable-record',
  severity: 'broken',
  object: `journal of ${metadata}`,
  expected: 'every change that was made',
  found: damage,
  repair:
    'none: "orlop rebuild --force-merge" makes records of what has none; until then nothing is collected',
})

/** Options of `repairStore`. */
export interface RepairStoreOptions extends RepairOptions {
  /** Without it nothing is fetched. */
  readonly resolver?: Resolver | undefined
  /** A reference whose repository is asked first for every blob. */
  readonly from?: string | undefined
}

/** What a repair did. */
export interface StoreRepair {
  /** One for each finding. */
  readonly repaired: readonly Repaired[]
  /** The directory of what was taken out, when anything was. */
  readonly quarantine?: string
}

/**
 * Repairs what a check found; see `repair`. Good copies come from the registries that the blobs' labels name.
 *
 * @throws RESOURCE_EXHAUSTED  the disk is full
 */
export async function repairStore(
  runtime: Runtime,
  findings: readonly Finding[],
  { resolver, from, ...options }: RepairStoreOptions = {},
): Promise<StoreRepair> {
  const parts = partsOf(runtime)
  const quarantine = new Quarantine(runtime.root, parts.now())
  const images = await imageNames(runtime, options)
  const sources = resolver ? registrySources({ resolver, from, images }) : () => []
  const repaired = await repair({ ...parts, quarantine, sources }, findings, options)
  const directory = await quarantine.path
  return { repaired, ...(directory !== undefined && { quarantine: directory }) }
}

const partsOf = ({ root, parts }: Runtime): FsckParts => ({
  ...parts,
  layout: new FsLayout(layoutOf(root).content),
})

/** Records that cannot be read are passed over: what can be known of them is written anew first. */
async function imageNames(runtime: Runtime, { signal }: AbortOptions): Promise<readonly string[]> {
  return runtime.parts.database.view(async view => {
    const { images } = await readRecords(view, { signal })
    return images.map(({ image }) => image.name)
  })
}
