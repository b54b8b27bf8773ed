import type { Labels } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { childLabels } from '../handlers/gc-labels.ts'
import { encode } from '../metadata/codec.ts'
import { checkNamespace } from '../metadata/labels.ts'
import {
  contentKey,
  imageKey,
  leaseKey,
  leaseResourceKey,
  sequenceKey,
  touchNamespace,
} from '../metadata/schema.ts'
import type { Transaction } from '../metadata/transaction.ts'
import { descriptorToJson } from '../oci/descriptor.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import { type BlobFile, type ReadFilesOptions, readFiles, readIngests } from './files.ts'
import { imagesOf, type RebuiltImage } from './rebuild-names.ts'
import { type Records, readRecords } from './records.ts'
import { contentLabels } from './references.ts'
import { numberOf } from './repair-record.ts'
import type { FsckParts } from './types.ts'

/** Options of `rebuild`. */
export interface RebuildOptions extends Omit<ReadFilesOptions, 'quick'> {
  /** Where all is put; default `default`. Which namespaces there were cannot be known. */
  readonly namespace?: string | undefined
  /** True: add what is missing to the records that are there, and change none of them. */
  readonly merge?: boolean | undefined
}

/** What a rebuild did, and what it could not know. */
export interface Rebuilt {
  readonly namespace: string
  /** Records of blobs that were written, and the bytes of those blobs. */
  readonly blobs: number
  readonly bytes: number
  readonly images: readonly RebuiltImage[]
  /** Files whose bytes are not what their names say: no record was made of them. */
  readonly damaged: readonly Digest[]
  /** Blobs that no document names; a lease keeps them until you delete it. */
  readonly loose: readonly Digest[]
  /** Its id, when there are any. */
  readonly lease?: string
}

/**
 * Makes records anew from the blobs: for each with right bytes a record, with the gc labels of what documents name, and an
 * image for each index or manifest that none other names.
 *
 * What only the records knew is lost: names (but for those in annotations), labels, namespaces, leases, and of dates all but
 * the day a blob was written. All of it is one commit, so it is done or not done.
 *
 * @throws FAILED_PRECONDITION  there are records, and not `merge`
 * @throws INVALID_ARGUMENT  a namespace that is no identifier
 */
export async function rebuild(parts: FsckParts, options: RebuildOptions = {}): Promise<Rebuilt> {
  const { namespace = 'default', merge = false, signal } = options
  const { layout, database, gate, now } = parts
  checkNamespace(namespace)
  const refuseRecords = (records: Records): void => {
    if (merge || records.used.size === 0) return
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `rebuild: the store has ${records.count} records; only a lost database is made anew (add to them with --force-merge)`,
    )
  }
  refuseRecords(await database.view(view => readRecords(view, { signal })))
  const { files } = await readFiles(layout, options)
  const ingests = await readIngests(layout, { signal })
  const found = sorted(files.values())
  const lease = `rebuilt-${now().toISOString().replaceAll(/[:.]/g, '-')}`
  return gate.exclusive(
    () =>
      database.update(async tx => {
        const records = await readRecords(tx, { signal })
        refuseRecords(records)
        await touchNamespace(tx, namespace)
        const images = newImages(found.good, namespace, records)
        const kept = keptIn(namespace, records, found.good, images)
        // What only another namespace wants is its own.
        const written = found.good.filter(
          ({ digest }) =>
            !records.hasBlob(namespace, digest) && (kept.has(digest) || !records.blobs.has(digest)),
        )
        for (const file of written) putBlob(tx, namespace, file)
        for (const image of images) putImage(tx, namespace, image, now())
        const loose = written.map(({ digest }) => digest).filter(digest => !kept.has(digest))
        if (loose.length > 0) putLease(tx, namespace, lease, loose, now())
        await raiseSequence(tx, namespace, ingests)
        const bytes = written.reduce((sum, { size }) => sum + size, 0)
        const { damaged } = found
        const holder = loose.length > 0 ? { lease } : {}
        return { namespace, blobs: written.length, bytes, images, damaged, loose, ...holder }
      }),
    { signal },
  )
}

function sorted(files: Iterable<BlobFile>) {
  const good: BlobFile[] = []
  const damaged: Digest[] = []
  for (const file of files) {
    if (file.actual === file.digest) good.push(file)
    else damaged.push(file.digest)
  }
  return { good: good.toSorted((a, b) => (a.digest < b.digest ? -1 : 1)), damaged: damaged.toSorted() }
}

const putBlob = (tx: Transaction, namespace: string, file: BlobFile): void => {
  const { digest, size, modifiedAt, document } = file
  const labels: Labels = document ? childLabels(document.children) : {}
  tx.put(
    contentKey(namespace, digest),
    encode({ size, labels, createdAt: modifiedAt, updatedAt: modifiedAt }),
  )
}

/** Those that no image has yet, under names that are free. */
function newImages(files: readonly BlobFile[], namespace: string, records: Records): readonly RebuiltImage[] {
  const known = new Set(records.images.map(({ image }) => image.target.digest))
  return imagesOf(files).flatMap(image => {
    const { name, target, isNamed } = image
    if (known.has(target.digest) && !isNamed) return []
    if (!records.hasImage(namespace, name)) return [image]
    const byDigest = `rebuilt@${target.digest}`
    const isFree = !known.has(target.digest) && !records.hasImage(namespace, byDigest)
    return isFree ? [{ name: byDigest, target, isNamed: false }] : []
  })
}

const putImage = (tx: Transaction, namespace: string, { name, target }: RebuiltImage, now: Date): void =>
  tx.put(
    imageKey(namespace, name),
    encode({ target: descriptorToJson(target), labels: {}, createdAt: now, updatedAt: now }),
  )

/**
 * What images of the namespace keep once each blob has a record: by labels where it has one already, else by what its document
 * names. All else that gets a record needs a lease, also what an image of another namespace has as its target.
 */
function keptIn(
  namespace: string,
  records: Records,
  files: readonly BlobFile[],
  images: readonly RebuiltImage[],
): ReadonlySet<string> {
  const documents = new Map<string, BlobFile['document']>(
    files.map(({ digest, document }) => [digest, document]),
  )
  const below = (digest: Digest): readonly Digest[] => {
    const entry = records.blobs.get(digest)?.find(one => one.namespace === namespace)
    if (entry)
      return contentLabels(entry.record.labels).flatMap(([, child]) => (isDigest(child) ? [child] : []))
    return documents.get(digest)?.children.map(child => child.digest) ?? []
  }
  const own = records.images.filter(one => one.namespace === namespace).map(({ image }) => image)
  const kept = new Set([...own, ...images].map(({ target }) => target.digest))
  // What is added while it is iterated over is visited too.
  for (const digest of kept) for (const child of below(digest)) kept.add(child)
  return kept
}

/** Something that is gone may have kept them, such as an unfinished pull: only their owner knows. */
function putLease(
  tx: Transaction,
  namespace: string,
  lease: string,
  digests: readonly Digest[],
  now: Date,
): void {
  tx.put(leaseKey(namespace, lease), encode({ labels: {}, createdAt: now }))
  for (const id of digests) tx.put(leaseResourceKey(namespace, lease, { type: 'content', id }), {})
}

/** No new write may meet the bytes that an unfinished one has left. */
async function raiseSequence(
  tx: Transaction,
  namespace: string,
  ingests: ReadonlyArray<{ readonly ref?: string }>,
): Promise<void> {
  const refs = ingests.flatMap(({ ref }) => (ref?.startsWith(`${namespace}/`) ? [ref] : []))
  const highest = Math.max(0, ...refs.map(numberOf))
  const last = await tx.get(sequenceKey(namespace))
  if (highest > (typeof last === 'number' ? last : 0)) tx.put(sequenceKey(namespace), highest)
}
