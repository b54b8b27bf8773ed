import { isUnavailable } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import type { RebuiltStore } from '../runtime/rebuild.ts'
import { type GlobalOptions, namespaceOf, rootOf } from './context.ts'
import { exitCodes } from './exit-code.ts'
import { formatBytes } from './output.ts'
import type { Register } from './register.ts'

interface RebuildCommandOptions {
  readonly forceMerge?: boolean
}

/** `orlop rebuild` */
export const registerRebuild: Register = (command, { out, signal, verbs, fail, options: global }) => {
  command
    .option('--force-merge', 'add what is missing to the records that are there, and change none of them')
    .addHelpText('after', explanation)
    .action(async ({ forceMerge }: RebuildCommandOptions) => {
      const namespace = namespaceOf(global)
      const setAside = await setAsideDamaged(global, { signal })
      const done = await (await verbs()).rebuild({ namespace, merge: forceMerge, signal })
      const rebuilt = { ...done, ...(setAside !== undefined && { setAside }) }
      if (global.json) out.json({ ...rebuilt, unknown })
      else
        for (const { name, target } of rebuilt.images)
          out.line(global.quiet ? name : `${name} ${target.digest}`)
      if (!global.json && !global.quiet) for (const line of remarks(rebuilt)) out.note(line)
      if (rebuilt.damaged.length > 0) fail(exitCodes.corrupt)
    })
}

const explanation = `
For a store whose records (metadata/) are lost or damaged. Every blob is read; those with right bytes get records in
--namespace, with the labels that keep what indexes and manifests name. An index or manifest that no other names becomes an
image, named by its annotations or, without any, rebuilt@<digest>: name it with "orlop images tag". Nothing is deleted: a
damaged metadata directory is moved to <root>/quarantine.

Exits with 5 when blobs were damaged, which got no records.`

/** A database that a process has open is not damaged so that it could not be read. */
async function setAsideDamaged(global: GlobalOptions, options: AbortOptions): Promise<string | undefined> {
  if (global.address) return undefined
  const { setAsideDamaged: setAside } = await import('../runtime/rebuild.ts')
  try {
    return await setAside({ root: rootOf(global) }, options)
  } catch (error) {
    if (!isUnavailable(error)) throw error
    return undefined
  }
}

/** What only the records knew. */
const unknown = ['names without annotation', 'labels', 'namespaces', 'leases', 'dates of images'] as const

function* remarks({ blobs, bytes, images, damaged, loose, lease, namespace, setAside }: RebuiltStore) {
  if (setAside !== undefined) yield `the damaged database is in ${setAside}`
  yield `${blobs} blobs (${formatBytes(bytes)}) and ${images.length} images are in namespace ${namespace} again`
  yield `not known any more: ${unknown.join(', ')}`
  const unnamed = images.filter(({ isNamed }) => !isNamed).length
  if (unnamed > 0) yield `${unnamed} images are named by their digests; name them with "orlop images tag"`
  if (lease !== undefined) {
    yield `${loose.length} blobs belong to no image; lease ${lease} keeps them until "orlop leases delete ${lease}"`
  }
  for (const digest of damaged) yield `damaged, and left as it is: ${digest}`
}
