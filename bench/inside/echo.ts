import { fork } from 'node:child_process'
import { once } from 'node:events'
import http2 from 'node:http2'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { GrpcClient } from '../../src/service/grpc/client.ts'
import { inProcess } from '../lib/measure.ts'

/**
 * Calls one at a time, by our client, of a server on node:http2 that gives back what it is sent, and what that took as JSON:
 *
 *     node dist/bench/inside/echo.js <count>
 *
 * So fast can a service be that runs on node:http2 and does nothing.
 */
async function main([amount = '', file = '']: readonly string[]): Promise<void> {
  if (file !== '') return serve(file)
  const count = Number(amount)
  const socket = path.join(os.tmpdir(), `orlop-echo-${process.pid}.sock`)
  const server = fork(process.argv[1] ?? '', [amount, socket])
  await once(server, 'message')
  using client = new GrpcClient(() => net.connect(socket), { message: 1 << 20, window: 1 << 18 })
  const call = async (): Promise<void> => {
    const one = client.call('/echo.Echo/Echo', { 'containerd-namespace': 'default' })
    one.sendLast([message])
    for (let answer = await one.receive(); answer !== undefined; ) answer = await one.receive()
  }
  // As the records' case does, which makes as many images before it gets them.
  for (let at = 0; at < count; at++) await call()
  const result = await inProcess(async () => {
    for (let at = 0; at < count; at++) await call()
    return count
  })
  process.stdout.write(`${JSON.stringify(result)}\n`)
  server.kill()
}

/** As large as an image in an answer. */
const message = Buffer.alloc(200)

function serve(file: string): void {
  const server = http2.createServer()
  server.on('stream', stream => {
    stream.on('data', (chunk: Buffer) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(chunk)
    })
  })
  server.listen(file, () => process.send?.('listening'))
}

await main(process.argv.slice(2))
