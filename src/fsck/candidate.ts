import type { View } from '../metadata/kv.ts'
import type { Finding, FsckParts } from './types.ts'

/** A finding that others may have undone, or that a write under way explains. */
export interface Candidate {
  readonly finding: Finding
  /** Looks once more, while no commit and no collection runs. */
  still(view: View): Promise<boolean>
}

/** Candidates that are looked at while writers wait, at a time. */
const batch = 128

/** The findings of those candidates that still are so while nobody commits or collects. */
export async function confirm(
  { gate, database }: Pick<FsckParts, 'gate' | 'database'>,
  candidates: readonly Candidate[],
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (let at = 0; at < candidates.length; at += batch) {
    const some = candidates.slice(at, at + batch)
    await gate.exclusive(
      () =>
        database.view(async view => {
          for (const { finding, still } of some) if (await still(view)) findings.push(finding)
        }),
      options,
    )
  }
  return findings
}
