import { save } from '../../runtime/export.ts'
import { type LoadScope, load } from '../../runtime/import.ts'
import type { ImageStore } from '../gen/containerd/types/transfer/imagestore_pb.ts'
import type {
  ImageExportStream,
  ImageImportStream,
} from '../gen/containerd/types/transfer/importexport_pb.ts'
import { receiveBytes, sendBytes } from './bytes.ts'
import { entryNames, storedImages } from './store.ts'
import { hostWanted, streamOf, type TransferWork, underLease, wantedOf } from './work.ts'

/** Takes the images of an archive that the client sends. Compressed or not is looked at; the media type is not. */
export async function importImages(
  work: TransferWork,
  from: ImageImportStream,
  to: ImageStore,
): Promise<void> {
  const { progress, call } = work
  const { signal } = call
  const stream = streamOf(work, from.stream)
  progress.tell('Importing')
  const { images } = await underLease(work, leased =>
    load(alreadyUnder(leased), receiveBytes(stream, call), {
      platforms: wantedOf(to.platforms),
      names: entry => entryNames(to, entry),
      indexName: to.name || undefined,
      labels: to.labels,
      replaceLabels: true,
      compress: from.forceCompress,
      signal,
    }),
  )
  for (const { image } of images) progress.tell('saved', image.name, image.target)
  progress.tell('Completed import')
}

/** A lease holds what comes already. */
const alreadyUnder = (leased: LoadScope): LoadScope => ({ ...leased, under: () => alreadyUnder(leased) })

/** Sends the client an archive of images of the store, and ends its stream. */
export async function exportImages(
  work: TransferWork,
  from: ImageStore,
  to: ImageExportStream,
): Promise<void> {
  const { scope, progress, call } = work
  const { signal } = call
  const stream = streamOf(work, to.stream)
  try {
    const images = await storedImages(scope.images, from, call)
    const wanted = wantedOf(to.platforms) ?? [hostWanted()]
    progress.tell('Exporting')
    const archive = await save(scope, images, {
      ...(to.allPlatforms ? { dockerPlatform: wanted[0] } : { platforms: wanted }),
      skipDockerManifest: to.skipCompatibilityManifest,
      skipNonDistributable: to.skipNonDistributable,
      signal,
    })
    await sendBytes(stream, archive.bytes(), call)
    progress.tell('Completed export')
  } finally {
    stream.close()
  }
}

/** Sends the client its own archive back, as containerd does. */
export async function echo(
  work: TransferWork,
  from: ImageImportStream,
  to: ImageExportStream,
): Promise<void> {
  const [source, destination] = [streamOf(work, from.stream), streamOf(work, to.stream)]
  try {
    await sendBytes(destination, receiveBytes(source, work.call), work.call)
  } finally {
    destination.close()
  }
}
