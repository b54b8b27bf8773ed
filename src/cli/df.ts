import type { DiskUsage, ImageUsage, Parts, SetUsage } from '../runtime/disk-usage.ts'
import { lookupImage } from './lookup.ts'
import { formatBytes } from './output.ts'
import type { Register } from './register.ts'

interface DfOptions {
  readonly bytes?: boolean
}

/** `orlop df` */
export const registerDf: Register = (command, { out, signal, verbs, scope, options: global }) => {
  command
    .argument('[image...]', 'images to measure as one set; default: the whole store')
    .option('--bytes', 'print exact numbers of bytes')
    .addHelpText('after', columns)
    .action(async (names: string[], { bytes = false }: DfOptions) => {
      const format = bytes ? String : formatBytes
      const { images, namespace } = await scope()
      const store = await verbs()
      if (names.length === 0) return show(await store.measure(namespace, { signal }), format)
      const found = new Set<string>()
      for (const asked of names) {
        found.add((await lookupImage(images, asked, { signal })).name)
      }
      const set = await store.measureSet(namespace, [...found], { signal })
      if (global.json) out.json({ images: [...found], ...set })
      else if (global.quiet) out.line(String(set.freed))
      else out.table(header, [setRow(`${found.size} together`, set, format)])
    })

  const show = (usage: DiskUsage, format: Format): void => {
    if (global.json) out.json(usage)
    else if (global.quiet) out.line(String(usage.total.bytes))
    else showTable(usage, format)
  }

  const showTable = (usage: DiskUsage, format: Format): void => {
    out.table(header, [
      ...usage.images.map(image => setRow(nameOf(image), image, format)),
      ...partRows(usage.parts, format),
      ['TOTAL', '', '', format(usage.total.bytes), format(usage.total.garbage)],
    ])
    const { bytes, allocated } = usage.content
    out.line(`content: ${format(bytes)} in files, ${format(allocated)} of blocks on disk`)
  }
}

const columns = `
One row for each image of the namespace, then the rest of the store:
  LOGICAL  all blobs that the image reaches and that are here, each counted once
  SHARED   those that another image reaches too; LOGICAL is SHARED and UNIQUE
  UNIQUE   those that no other image reaches; the column adds up to TOTAL, which is what lies on disk
  FREED    of an image: what the next collection frees if this image alone is deleted; less than UNIQUE where a lease or
           label keeps blobs. Of the other rows: what it frees anyway
To see what several images free together, name them: what two of them share counts then.

TOTAL is the content (the bytes of its files: du --apparent-size) and the records. --quiet prints TOTAL in bytes, or what the
named images free together.`

type Format = (bytes: number) => string

const header = ['NAME', 'LOGICAL', 'SHARED', 'UNIQUE', 'FREED'] as const

const nameOf = ({ name, expired }: ImageUsage): string => (expired ? `${name} (expired)` : name)

const setRow = (name: string, set: SetUsage, format: Format): readonly string[] => [
  name,
  format(set.logical),
  format(set.shared),
  format(set.unique),
  format(set.freed),
]

const partNames: ReadonlyArray<readonly [keyof Parts, string]> = [
  ['shared', '(shared by images)'],
  ['held', '(held by leases and labels)'],
  ['elsewhere', '(other namespaces)'],
  ['ingests', '(ingests)'],
  ['unreferenced', '(unreferenced)'],
  ['orphans', '(orphans)'],
  ['others', '(strange files)'],
  ['metadata', '(metadata)'],
]

const partRows = (parts: Parts, format: Format): readonly (readonly string[])[] =>
  partNames
    .filter(([key]) => key !== 'others' || parts.others.bytes > 0)
    .map(([key, name]) => [name, '', '', format(parts[key].bytes), format(parts[key].garbage)])
