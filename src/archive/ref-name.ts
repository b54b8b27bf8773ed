import { isOrlopError } from '../errors.ts'
import { parseSpec } from '../oci/reference.ts'

/**
 * What a layout calls an image that has a full name: its tag; the full name when it has none, or a digest.
 *
 * @see containerd core/images/archive/exporter.go, ociReferenceName
 */
export function layoutName(name: string): string {
  try {
    const { object } = parseSpec(name)
    return object === '' || object.startsWith('@') ? name : object
  } catch (error) {
    if (isOrlopError(error)) return name
    throw error
  }
}
