import { once } from 'node:events'
import http2 from 'node:http2'
import path from 'node:path'
import { create, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { remoteStore } from '../../../src/service/client/store.ts'
import { WriteContentResponseSchema } from '../../../src/service/gen/containerd/services/content/v1/content_pb.ts'
import { framed } from '../../../src/service/grpc/frame.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

test('a writer that is not given for its answer is no writer ends its call, which is the lock of the ref', async t => {
  const answer = framed([
    toBinary(WriteContentResponseSchema, create(WriteContentResponseSchema, { digest: 'none' })),
  ])
  const server = http2.createServer()
  const reset = new Promise<number>(resolve => {
    server.on('stream', stream => {
      stream.on('error', () => undefined)
      stream.on('close', () => resolve(stream.rstCode))
      stream.resume()
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      stream.write(Buffer.concat(answer))
    })
  })
  const file = path.join(await temporaryDirectory(t), 's.sock')
  server.listen(file)
  await once(server, 'listening')
  const store = remoteStore(file)
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    server.close()
  })
  await t.throwsAsync(store.scope('test').content.writer({ ref: 'r' }))
  t.is(await reset, http2.constants.NGHTTP2_CANCEL)
})
