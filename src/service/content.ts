import type { MessageInitShape } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { Buffers } from '../content/buffers.ts'
import type { Info, Status } from '../content/types.ts'
import { OrlopError } from '../errors.ts'
import { labelsChangeOf } from '../metadata/field-path.ts'
import { parseDigest } from '../oci/digest.ts'
import { writeContent } from './content-write.ts'
import {
  Content,
  type InfoSchema,
  type ReadContentRequest,
  ReadContentResponseSchema,
  type StatusSchema,
} from './gen/containerd/services/content/v1/content_pb.ts'
import { timestamp } from './messages.ts'
import { namespaceOf, type ServiceParts, scopeOf } from './parts.ts'
import { ReadAhead } from './read-ahead.ts'
import { type Call, Encoded, type Service, service } from './rpc.ts'

/** Blobs in one message of a list, as in containerd. */
const listBlock = 100

/** Bytes in one message of a read; a client that does not read keeps that much waiting. */
const chunkSize = 256 * 1024

/** Chunks of blobs on their way to clients. */
const buffers = new Buffers(chunkSize, 16)

/** The content service. @see containerd plugins/services/content/contentserver */
export const contentService = (parts: ServiceParts, ahead = new ReadAhead()): Service =>
  service(Content, {
    info: async ({ digest }, call) => {
      const info = await scopeOf(parts, call).content.info(parseDigest(digest), call)
      return { info: infoMessage(info) }
    },
    update: async ({ info, updateMask }, call) => {
      const { digest = '', labels = {} } = info ?? {}
      const change = labelsChangeOf(updateMask?.paths ?? [], labels)
      const { content } = scopeOf(parts, call)
      return { info: infoMessage(await content.update(parseDigest(digest), change, call)) }
    },
    list: ({ filters }, call) => list(parts, filters, call),
    delete: async ({ digest }, call) => {
      await scopeOf(parts, call).content.delete(parseDigest(digest), call)
      return {}
    },
    read: (request, call) => read(parts, ahead, request, call),
    status: async ({ ref }, call) => ({
      status: statusMessage(await scopeOf(parts, call).content.status(ref, call)),
    }),
    listStatuses: async ({ filters }, call) => {
      const statuses: MessageInitShape<typeof StatusSchema>[] = []
      for await (const status of scopeOf(parts, call).content.statuses(filters, call)) {
        statuses.push(statusMessage(status))
      }
      return { statuses }
    },
    write: (requests, call) => writeContent(parts, requests, call),
    abort: async ({ ref }, call) => {
      await scopeOf(parts, call).content.abort(ref, call)
      return {}
    },
  })

const infoMessage = ({
  digest,
  size,
  createdAt,
  updatedAt,
  labels,
}: Info): MessageInitShape<typeof InfoSchema> => ({
  digest,
  size: BigInt(size),
  createdAt: timestamp(createdAt),
  updatedAt: timestamp(updatedAt),
  labels,
})

const statusMessage = (status: Status): MessageInitShape<typeof StatusSchema> => ({
  ref: status.ref,
  offset: BigInt(status.offset),
  total: BigInt(status.total ?? 0),
  expected: status.expected ?? '',
  startedAt: timestamp(status.startedAt),
  updatedAt: timestamp(status.updatedAt),
})

async function* list(parts: ServiceParts, filters: readonly string[], call: Call) {
  let block: MessageInitShape<typeof InfoSchema>[] = []
  for await (const info of scopeOf(parts, call).content.list(filters, call)) {
    block.push(infoMessage(info))
    if (block.length < listBlock) continue
    yield { info: block }
    block = []
  }
  if (block.length > 0) yield { info: block }
}

async function* read(
  parts: ServiceParts,
  ahead: ReadAhead,
  request: ReadContentRequest,
  call: Call,
): AsyncGenerator<Encoded, void, undefined> {
  const { content } = scopeOf(parts, call)
  const digest = parseDigest(request.digest)
  const { size } = await content.info(digest, call)
  if (request.offset > BigInt(size)) {
    throw new OrlopError(
      'OUT_OF_RANGE',
      `content ${digest}: offset ${request.offset} is past its ${size} bytes`,
    )
  }
  const offset = Math.max(0, Number(request.offset))
  const length = request.size > 0n ? Math.min(Number(request.size), size - offset) : size - offset
  if (length === 0) return
  let sent = 0
  const piece = { namespace: namespaceOf(call), digest, size, offset, length }
  for await (const bytes of ahead.read(content, piece, { signal: call.signal, buffers })) {
    for (let at = 0; at < bytes.byteLength; at += chunkSize) {
      const data = bytes.subarray(at, at + chunkSize)
      // Counted from where the read began, as in containerd.
      const isLast = at + chunkSize >= bytes.byteLength
      yield encodedRead(sent, data, isLast ? () => buffers.give(bytes) : undefined)
      sent += data.byteLength
    }
  }
}

/** A ReadContentResponse whose data stays where it is. */
function encodedRead(offset: number, data: Uint8Array, onSent?: () => void): Encoded {
  const { field } = ReadContentResponseSchema
  const head = new BinaryWriter()
  if (offset > 0) head.tag(field.offset.number, WireType.Varint).int64(offset)
  head.tag(field.data.number, WireType.LengthDelimited).uint32(data.byteLength)
  return new Encoded([head.finish(), data], onSent)
}
