import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type Timestamp, timestampFromDate, timestampMs } from '@bufbuild/protobuf/wkt'
import { OrlopError } from '../errors.ts'
import { type Descriptor, descriptorToJson, readDescriptor } from '../oci/descriptor.ts'
import { asObject, parseJson } from '../oci/json.ts'
import { normalizePlatform, type Platform } from '../oci/platform.ts'
import {
  type Descriptor as DescriptorMessage,
  DescriptorSchema,
} from './gen/containerd/types/descriptor_pb.ts'
import type { Platform as PlatformMessage, PlatformSchema } from './gen/containerd/types/platform_pb.ts'

/** A date as a message. */
export const timestamp = (date: Date): Timestamp => timestampFromDate(date)

/**
 * A date out of a message, to the millisecond; absent is 1970, as Go has it.
 *
 * @throws INVALID_ARGUMENT  beyond what a date can be
 */
export function dateOf(message: Timestamp | undefined): Date {
  const date = new Date(message === undefined ? 0 : timestampMs(message))
  if (Number.isNaN(date.getTime())) {
    throw new OrlopError('INVALID_ARGUMENT', `timestamp: ${message?.seconds} seconds are out of range`)
  }
  return date
}

/**
 * A count of bytes out of a message.
 *
 * @throws INVALID_ARGUMENT  negative, or more than a number holds exactly
 */
export function countOf(value: bigint, what: string): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 0) {
    throw new OrlopError('INVALID_ARGUMENT', `${what}: ${value} is not a count of bytes`)
  }
  return number
}

/** A descriptor as a message; what containerd's has no field for (platform, URLs, data, artifact type) is left out. */
export const descriptorMessage = ({
  mediaType,
  digest,
  size,
  annotations = {},
}: Descriptor): DescriptorMessage =>
  create(DescriptorSchema, { mediaType, digest, size: BigInt(size), annotations })

/** As `descriptorMessage`, with all of it for another orlop. */
export function targetMessage(target: Descriptor): DescriptorMessage {
  const { mediaType, digest, size, annotations, ...more } = descriptorToJson(target)
  const orlopJson = Object.keys(more).length === 0 ? new Uint8Array() : Buffer.from(JSON.stringify(more))
  return Object.assign(descriptorMessage(target), { orlopJson })
}

/** A descriptor out of a message. @throws INVALID_ARGUMENT  a digest, size or other field that is none */
export function descriptorOf(
  { mediaType, digest, size, annotations, orlopJson }: DescriptorMessage,
  what: string,
): Descriptor {
  const some = Object.keys(annotations).length > 0
  const more = orlopJson.byteLength === 0 ? {} : asObject(parseJson(orlopJson, what), what)
  return readDescriptor(
    { ...more, mediaType, digest, size: countOf(size, what), annotations: some ? annotations : undefined },
    what,
  )
}

/** A platform out of a message, by normal names. */
export const platformOf = ({ os, architecture, variant, osVersion, osFeatures }: PlatformMessage): Platform =>
  normalizePlatform({ os, architecture, variant, osVersion, osFeatures })

/** A platform as a message. */
export const platformMessage = (platform: Platform): MessageInitShape<typeof PlatformSchema> => ({
  ...platform,
  osFeatures: [...(platform.osFeatures ?? [])],
})
