import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt'
import { OrlopError } from '../errors.ts'

/** A message in an Any, its type named bare, as containerd's clients want it. */
export const pack = <D extends DescMessage>(desc: D, message: MessageShape<D>): Any =>
  create(AnySchema, { typeUrl: desc.typeName, value: toBinary(desc, message) })

/** True when an Any holds a message of that type; a name with a host before it is another type, as in containerd. */
export const holds = (desc: DescMessage, any: Any | undefined): any is Any => any?.typeUrl === desc.typeName

/** The message in an Any. @throws INVALID_ARGUMENT  it holds another, or bytes that are none */
export function unpack<D extends DescMessage>(desc: D, any: Any): MessageShape<D> {
  if (any.typeUrl !== desc.typeName) {
    throw new OrlopError(
      'INVALID_ARGUMENT',
      `message ${JSON.stringify(any.typeUrl)}: expected ${desc.typeName}`,
    )
  }
  try {
    return fromBinary(desc, any.value, { readUnknownFields: false })
  } catch (cause) {
    throw new OrlopError('INVALID_ARGUMENT', `message: its bytes are no ${desc.typeName}`, { cause })
  }
}
