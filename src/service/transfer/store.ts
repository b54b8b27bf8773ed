import { imageNames } from '../../archive/image-names.ts'
import { OrlopError } from '../../errors.ts'
import { putImage } from '../../images/put.ts'
import type { ImageRecord, ImageStore, NewImage } from '../../images/types.ts'
import { labelKeys } from '../../oci/annotations.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { ImageStore as Place } from '../gen/containerd/types/transfer/imagestore_pb.ts'
import type { Call } from '../rpc.ts'

/** Names a descriptor; an image of that name is replaced, its labels too, as containerd's transfers do. */
export const storeImage = async (
  images: ImageStore,
  image: NewImage,
  { signal }: Call,
): Promise<ImageRecord> => (await putImage(images, image, { replaceLabels: true, signal })).image

/**
 * Names a descriptor as a transfer wants it: with its name, and with its further ones, which go when that goes.
 *
 * @throws INVALID_ARGUMENT  there is no name
 */
export async function storeNamed(
  images: ImageStore,
  { name, labels, extraReferences }: Place,
  target: Descriptor,
  call: Call,
): Promise<readonly ImageRecord[]> {
  const more = extraReferences.filter(({ isPrefix }) => !isPrefix)
  const others = more.map(({ name: text, addDigest }) => (addDigest ? `${text}@${target.digest}` : text))
  if (name === '' && others.length === 0) {
    throw new OrlopError('INVALID_ARGUMENT', 'transfer: the image is given no name')
  }
  const stored: ImageRecord[] = []
  if (name !== '') stored.push(await storeImage(images, { name, target, labels }, call))
  for (const other of others) {
    const bound = name === '' ? labels : { ...labels, ...boundTo(name) }
    stored.push(await storeImage(images, { name: other, target, labels: bound }, call))
  }
  return stored
}

/** Labels of an image that goes with the next collection after the one that it is bound to. */
const boundTo = (name: string): Readonly<Record<string, string>> => ({
  [`${labelKeys.gcBref}.image`]: name,
  [labelKeys.gcExpire]: new Date().toISOString(),
})

/**
 * The names that an entry of an archive gets: out of its annotations, by each prefix that the transfer has.
 *
 * `allow_overwrite` is of names, and not of images that are there: without it, full names must begin with the prefix.
 *
 * @see containerd core/transfer/image, Store
 */
export const entryNames = ({ extraReferences }: Place, entry: Descriptor): readonly string[] => [
  ...new Set(
    extraReferences
      .filter(({ isPrefix, name }) => isPrefix && name !== '')
      .flatMap(({ name: base, allowOverwrite, addDigest, skipNamedDigest }) =>
        imageNames(
          entry,
          { base, only: !allowOverwrite, digests: addDigest, skipDigestForNamed: skipNamedDigest },
          'archive',
        ),
      ),
  ),
]

/** The images that a transfer takes out of the store. @throws NOT_FOUND  one of them is not there */
export async function storedImages(
  images: ImageStore,
  { name, extraReferences }: Place,
  call: Call,
): Promise<readonly ImageRecord[]> {
  const names = [...(name === '' ? [] : [name]), ...extraReferences.map(one => one.name)]
  if (names.length === 0) throw new OrlopError('INVALID_ARGUMENT', 'transfer: no image is named')
  if (extraReferences.some(({ isPrefix }) => isPrefix)) {
    throw new OrlopError('UNIMPLEMENTED', 'transfer: images are not looked for by prefixes of their names')
  }
  return await Promise.all(names.map(one => images.get(one, call)))
}
