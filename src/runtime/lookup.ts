import { isNotFound, isOrlopError, OrlopError } from '../errors.ts'
import type { ImageRecord, ImageStore } from '../images/types.ts'
import { isDigest } from '../oci/digest.ts'
import { fullReference, parseReference, type Reference, repositoryName } from '../oci/reference.ts'
import type { AbortOptions } from '../options.ts'

/** Options of `lookup`. */
export interface LookupOptions extends AbortOptions {
  /** What an image of this name may be called here, in the order to look; default: as Docker would call it. */
  readonly names?: ((name: string, options: AbortOptions) => Promise<readonly string[]>) | undefined
}

/**
 * The image that a user means: the exact name; else one that the name stands for; else, of `name@digest`, any tag of that
 * repository that points at the digest; of a digest alone, the one image that points at it; of a name without registry,
 * the one image that ends so.
 *
 * @throws NOT_FOUND  none of them is there
 * @throws FAILED_PRECONDITION  several images point at the digest, or end in the name
 * @see containers/common libimage, LookupImage
 */
export async function lookup(
  images: Pick<ImageStore, 'get' | 'list'>,
  name: string,
  { names = dockerNames, signal }: LookupOptions = {},
): Promise<ImageRecord> {
  const reference = parsed(name)
  const full = reference ? await names(name, { signal }) : []
  const tried = [...new Set([name, ...full])]
  for (const candidate of tried) {
    const found = await getIfThere(images, candidate, { signal })
    if (found) return found
  }
  const other =
    reference?.digest === undefined
      ? onlyOne(name, await (isDigest(name) ? byTarget : byEnd)(images, name, { signal }))
      : await byDigest(images, full, reference.digest, { signal })
  if (other) return other
  const nor = full.filter(candidate => candidate !== name).map(candidate => `nor ${candidate}`)
  throw new OrlopError(
    'NOT_FOUND',
    `image ${name}: not found${nor.length > 0 ? `, ${nor.join(', ')}` : ''}; "orlop images list" shows what is here`,
  )
}

const dockerNames = async (name: string): Promise<readonly string[]> => {
  const full = normalName(name)
  return full === undefined ? [] : [full]
}

async function getIfThere(
  images: Pick<ImageStore, 'get'>,
  name: string,
  options: AbortOptions,
): Promise<ImageRecord | undefined> {
  try {
    return await images.get(name, options)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

async function byTarget(
  images: Pick<ImageStore, 'list'>,
  digest: string,
  options: AbortOptions,
): Promise<readonly ImageRecord[]> {
  const found: ImageRecord[] = []
  for await (const image of images.list([`target.digest==${digest}`], options)) found.push(image)
  return found
}

/** An image of one of the repositories, under whatever tag, that has these very bytes. */
async function byDigest(
  images: Pick<ImageStore, 'list'>,
  full: readonly string[],
  digest: string,
  options: AbortOptions,
): Promise<ImageRecord | undefined> {
  const repositories = full.map(parsed).map(reference => reference && repositoryName(reference))
  const at = (image: ImageRecord): number => {
    const reference = parsed(image.name)
    return reference ? repositories.indexOf(repositoryName(reference)) : -1
  }
  const found = await byTarget(images, digest, options)
  return found.filter(image => at(image) >= 0).toSorted((a, b) => at(a) - at(b))[0]
}

/** The images whose repository ends in a name without registry, and whose tag is the same. */
async function byEnd(
  images: Pick<ImageStore, 'list'>,
  name: string,
  options: AbortOptions,
): Promise<readonly ImageRecord[]> {
  const [first = '', ...more] = name.split('/')
  if (more.length > 0 && (/[.:]/.test(first) || first === 'localhost')) return []
  const wanted = parsed(`any.invalid/${name}`)
  if (!wanted) return []
  const found: ImageRecord[] = []
  for await (const image of images.list([], options)) {
    const reference = parsed(image.name)
    if (reference?.tag === (wanted.tag ?? 'latest') && endsIn(reference, wanted.path)) found.push(image)
  }
  return found
}

function onlyOne(name: string, found: readonly ImageRecord[]): ImageRecord | undefined {
  if (found.length < 2) return found[0]
  const all = found.map(image => image.name).join(', ')
  throw new OrlopError('FAILED_PRECONDITION', `image ${name}: may be any of ${all}; give the whole name`)
}

const endsIn = ({ path }: Reference, end: string): boolean => path === end || path.endsWith(`/${end}`)

const parsed = (name: string): Reference | undefined => orUndefined(() => parseReference(name))

/** A name in Docker's normal form, with the default tag; `undefined` for what is no reference. */
export const normalName = (name: string): string | undefined => orUndefined(() => fullReference(name))

function orUndefined<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch (error) {
    if (isOrlopError(error)) return undefined
    throw error
  }
}
