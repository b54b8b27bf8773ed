import { type Descriptor, readDescriptor } from '../../oci/descriptor.ts'
import { asObject, asSize, asString } from '../../oci/json.ts'
import { maybe, oneOf, type Reader, record } from './readers.ts'

/** What a service asks of a client that lends it a resolver. */
export type Question =
  | { readonly type: 'resolve'; readonly reference: string }
  /** Begin to read a blob of the repository of `reference`. */
  | {
      readonly type: 'open'
      readonly id: number
      readonly reference: string
      readonly target: Descriptor
      readonly offset: number
      readonly length?: number | undefined
    }
  /** Its next bytes. */
  | { readonly type: 'next'; readonly id: number }
  /** No more of it. */
  | { readonly type: 'close'; readonly id: number }

const resolve = record<Extract<Question, { type: 'resolve' }>>({
  type: oneOf('resolve'),
  reference: asString,
})
const open = record<Extract<Question, { type: 'open' }>>({
  type: oneOf('open'),
  id: asSize,
  reference: asString,
  target: readDescriptor,
  offset: asSize,
  length: maybe(asSize),
})
const next = record<Extract<Question, { type: 'next' }>>({ type: oneOf('next'), id: asSize })
const close = record<Extract<Question, { type: 'close' }>>({ type: oneOf('close'), id: asSize })

/** A question out of JSON. @throws INVALID_ARGUMENT  it is none */
export const readQuestion: Reader<Question> = (value, what) => {
  const { type } = asObject(value, what)
  if (type === 'resolve') return resolve(value, what)
  if (type === 'open') return open(value, what)
  if (type === 'next') return next(value, what)
  return close(value, what)
}
