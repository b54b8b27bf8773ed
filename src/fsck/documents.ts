import { isOrlopError } from '../errors.ts'
import type { Annotations, Descriptor } from '../oci/descriptor.ts'
import { kindOfDocument, maxManifestSize, parseIndex, parseManifest } from '../oci/document.ts'
import { isObject, parseJson } from '../oci/json.ts'
import { isManifestOrIndex, mediaTypes } from '../oci/media-type.ts'

/** An index or manifest that was recognised by its bytes alone. */
export interface Document {
  readonly kind: 'index' | 'manifest'
  readonly mediaType: string
  /** Of an index its entries, of a manifest the config and then the layers. */
  readonly children: readonly Descriptor[]
  readonly annotations: Annotations
}

/** True for bytes that may be a document: worth parsing. */
export const mayBeDocument = (first: number | undefined, size: number): boolean =>
  first === 0x7b && size <= maxManifestSize

/**
 * The index or manifest that bytes are, `undefined` for all else: a layer, a config, a document that could be read in two
 * ways. A media type that the document does not name is OCI's.
 */
export function documentOf(bytes: Uint8Array): Document | undefined {
  if (!mayBeDocument(bytes[0], bytes.byteLength)) return undefined
  try {
    return read(bytes)
  } catch (error) {
    if (isOrlopError(error)) return undefined
    throw error
  }
}

function read(bytes: Uint8Array): Document | undefined {
  const json = parseJson(bytes, 'document')
  const kind = kindOfDocument(json)
  if (kind === undefined || !isObject(json)) return undefined
  const named = typeof json.mediaType === 'string' ? json.mediaType : undefined
  const known = named !== undefined && isManifestOrIndex({ mediaType: named })
  if (!known && (json.schemaVersion !== 2 || named !== undefined)) return undefined
  if (kind === 'index') {
    const { manifests, annotations = {} } = parseIndex(bytes)
    return { kind, mediaType: named ?? mediaTypes.ociIndex, children: manifests, annotations }
  }
  const { config, layers, annotations = {} } = parseManifest(bytes)
  return { kind, mediaType: named ?? mediaTypes.ociManifest, children: [config, ...layers], annotations }
}
