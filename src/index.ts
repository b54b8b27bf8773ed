/**
 * orlop: a content store and image metadata service.
 *
 * The words of OCI, the errors, and the store with its verbs. All else has a subpath of its own: `orlop/content`,
 * `orlop/handlers`, `orlop/images`, `orlop/metadata`, `orlop/registry`.
 */
export type * from './content/types.ts'
export * from './errors.ts'
export type * from './images/types.ts'
export * from './oci/index.ts'
export type { AbortOptions } from './options.ts'
export * from './runtime/index.ts'
export { version } from './version.ts'
