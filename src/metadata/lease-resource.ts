import { OrlopError } from '../errors.ts'
import { parseDigest } from '../oci/digest.ts'
import type { LeaseResource } from './schema.ts'

/**
 * Refuses what a lease cannot hold.
 *
 * @returns the resource
 * @throws INVALID_ARGUMENT  `content` whose id is no digest, `content/x` and the like, `snapshots` without one snapshotter,
 *   an empty id
 * @throws UNIMPLEMENTED  any other type
 * @see containerd core/metadata/leases.go, parseLeaseResource
 */
export function checkResource(resource: LeaseResource): LeaseResource {
  const { type, id } = resource
  const refuse = (why: string): never => {
    throw new OrlopError('INVALID_ARGUMENT', `lease resource ${JSON.stringify(type)}: ${why}`)
  }
  const [base = '', name, ...more] = type.split('/')
  if (base === 'content' || base === 'ingests' || base === 'images') {
    if (name !== undefined) refuse(`the type is ${base} alone`)
    if (base === 'content') parseDigest(id)
  } else if (base === 'snapshots') {
    if (!name || more.length > 0) refuse('the type is snapshots/<snapshotter>')
  } else {
    throw new OrlopError(
      'UNIMPLEMENTED',
      `lease resource ${JSON.stringify(type)}: leases hold content, images, ingests and snapshots/<snapshotter>`,
    )
  }
  if (id === '') refuse('the id must not be empty')
  return resource
}
