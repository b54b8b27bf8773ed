import { OrlopError } from '../../errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { isObject, type JsonObject } from '../../oci/json.ts'
import { isDockerType, isIndex, isManifest } from '../../oci/media-type.ts'
import type { Format } from './layer-type.ts'

/** What becomes of a child of a document: another descriptor, itself, or nothing. */
export interface ChildChange {
  readonly before: Descriptor
  /** Absent: it is taken out of its index. */
  readonly after?: Descriptor
}

/** A document in its new form, and what could not be kept. */
export interface Rewritten {
  readonly bytes: Uint8Array
  readonly mediaType: string
  /** What Docker's format has no place for, in words. */
  readonly lost: readonly string[]
}

/**
 * An index or manifest with other children, in another format or both; `undefined` when nothing changes.
 *
 * Known fields come in the order in which Go's programs write them, and without blanks, so that the same conversion by
 * `ctr`, or from OCI to Docker by skopeo, gives the same digest; others are kept behind them. Docker's format has no annotations: they are left out and
 * told of.
 *
 * @param json  the document as it was parsed
 * @param children  in its order: a manifest's config first
 * @throws FAILED_PRECONDITION  Docker's format cannot say what the document says: `subject`, `artifactType`, an artifact,
 *   an attestation, an index in an index
 * @see containerd core/images/converter/default.go
 */
export function rewriteDocument(
  desc: Pick<Descriptor, 'mediaType' | 'digest'>,
  json: JsonObject,
  children: readonly ChildChange[],
  mediaType: string,
  format: Format | undefined,
): Rewritten | undefined {
  if (mediaType === desc.mediaType && children.every(isSame)) return undefined
  const toDocker = format === 'docker'
  if (toDocker) refuseInDocker(desc, json, children)
  const entries = new Entries(toDocker, toDocker && !isDockerType(desc) ? skopeoFields : goFields)
  const { annotations } = json
  const changed = {
    ...json,
    // One that says nothing of itself goes on so, unless it changes.
    ...((json.mediaType !== undefined || mediaType !== desc.mediaType) && { mediaType }),
    ...entries.of(desc, json, children),
    annotations: toDocker ? undefined : annotations,
  }
  const isAnnotated = isObject(annotations) && Object.keys(annotations).length > 0
  const lost = [...(toDocker && isAnnotated ? [`annotations of ${desc.digest}`] : []), ...entries.lost]
  return { bytes: Buffer.from(stringify(inOrder(changed, documentFields))), mediaType, lost }
}

const isSame = ({ before, after }: ChildChange): boolean =>
  after?.digest === before.digest && after.mediaType === before.mediaType

/** Docker's format has images of file systems only, and lists of them only. */
function refuseInDocker(
  desc: Pick<Descriptor, 'mediaType' | 'digest'>,
  json: JsonObject,
  children: readonly ChildChange[],
): void {
  const refuse = (what: string): never => {
    throw new OrlopError(
      'FAILED_PRECONDITION',
      `${desc.digest}: ${what} has no place in Docker's format; leave it out, or keep OCI's`,
    )
  }
  for (const field of ['subject', 'artifactType'])
    if (json[field] !== undefined && json[field] !== null) refuse(`its "${field}"`)
  const fits = isIndex(desc) ? isManifest : isDockerType
  const strange = children.find(({ after }) => after !== undefined && !fits(after))
  if (strange !== undefined) refuse(`${strange.before.digest} of type ${strange.before.mediaType}`)
}

/** Where BuildKit says which manifest of the index an attestation is about. */
export const attestationSubject = 'vnd.docker.reference.digest'

/** An attestation goes on to name its image when that has another digest now. */
function pointing(entry: JsonObject, digests: ReadonlyMap<string, string | undefined>): JsonObject {
  const { annotations } = entry
  if (!isObject(annotations)) return entry
  const subject = annotations[attestationSubject]
  const after = typeof subject === 'string' ? digests.get(subject) : undefined
  if (after === undefined) return entry
  return { ...entry, annotations: { ...annotations, [attestationSubject]: after } }
}

/** Annotations that describe a layer's compressed bytes, and lie when those are others: eStargz, zstd:chunked. */
const ofBytes =
  /^(?:containerd\.io\/snapshot\/stargz\/|io\.containers\.estargz\.|io\.github\.containers\.zstd-chunked\.)/

/** The parts of a document that point at its children. */
class Entries {
  /** What was left out, in words. */
  readonly lost: string[] = []
  readonly #toDocker: boolean
  readonly #fields: readonly string[]

  constructor(toDocker: boolean, fields: readonly string[]) {
    this.#toDocker = toDocker
    this.#fields = fields
  }

  of(desc: Pick<Descriptor, 'mediaType'>, json: JsonObject, children: readonly ChildChange[]): JsonObject {
    if (isIndex(desc)) return { manifests: this.#list(json.manifests, children) }
    const [config, ...layers] = children
    return { config: this.#entry(json.config, config), layers: this.#list(json.layers, layers) }
  }

  #list(list: unknown, children: readonly ChildChange[]): readonly JsonObject[] {
    const raw: readonly unknown[] = Array.isArray(list) ? list : []
    const digests = new Map<string, string | undefined>(
      children.map(({ before, after }) => [before.digest, after?.digest]),
    )
    return children.flatMap((child, at) =>
      child.after === undefined ? [] : [pointing(this.#entry(raw[at], child), digests)],
    )
  }

  #entry(raw: unknown, child: ChildChange | undefined): JsonObject {
    const entry = isObject(raw) ? raw : {}
    const { before, after } = child ?? {}
    if (before === undefined || after === undefined) return entry
    const { mediaType, digest, size } = after
    const isOther = digest !== before.digest
    const { platform } = entry
    const changed: JsonObject = {
      ...entry,
      mediaType,
      digest,
      size,
      annotations: this.#annotations(entry, isOther, digest),
      ...(isObject(platform) && { platform: inOrder(platform, platformFields) }),
      // They lead to the old bytes.
      ...(isOther && { urls: undefined, data: undefined }),
      ...(this.#toDocker && { data: undefined, artifactType: undefined }),
    }
    return inOrder(changed, this.#fields)
  }

  #annotations({ annotations }: JsonObject, isOther: boolean, digest: string): JsonObject | undefined {
    const kept = Object.entries(isObject(annotations) ? annotations : {}).filter(
      ([key]) => !isOther || !ofBytes.test(key),
    )
    if (kept.length === 0) return undefined
    if (!this.#toDocker) return Object.fromEntries(kept)
    this.lost.push(`annotations of ${digest}`)
    return undefined
  }
}

const documentFields = [
  ...[
    'schemaVersion',
    'mediaType',
    'artifactType',
    'config',
    'layers',
    'manifests',
    'subject',
    'annotations',
  ],
]
const entryFields = ['urls', 'annotations', 'data', 'platform', 'artifactType']
const goFields = ['mediaType', 'digest', 'size', ...entryFields]
const skopeoFields = ['mediaType', 'size', 'digest', ...entryFields]
const platformFields = ['architecture', 'os', 'os.version', 'os.features', 'variant']

/** Known fields first, in their order; without those that are undefined. */
const inOrder = (json: JsonObject, fields: readonly string[]): JsonObject => {
  const others = Object.keys(json).filter(key => !fields.includes(key))
  const keys = [...fields, ...others].filter(key => Object.hasOwn(json, key) && json[key] !== undefined)
  return Object.fromEntries(keys.map(key => [key, json[key]]))
}

/** As Go's encoder writes it, which escapes what could end a script in HTML. */
const stringify = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
