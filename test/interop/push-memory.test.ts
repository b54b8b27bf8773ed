import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { output } from '../support/run.ts'

const MiB = 1024 ** 2

test('a push of three layers of 200 MiB at once stays within 150 MiB of memory', async t => {
  t.timeout(300_000)
  const { host, bytes } = await startSink(t)
  const program = fileURLToPath(new URL('../support/push-big-blob.js', import.meta.url))
  const peak = await output(process.execPath, [program, host, String(200 * MiB)], { deadline: 300_000 })
  t.log(`${Math.round(Number(peak) / 1024)} MiB at most`)
  t.is(bytes(), 3 * 200 * MiB + 3)
  t.true(Number(peak) > 10 * 1024 && Number(peak) < 150 * 1024, `${Math.round(Number(peak) / 1024)} MiB`)
})

/** A registry that takes everything, and counts it. */
async function startSink(
  t: ExecutionContext,
): Promise<{ readonly host: string; readonly bytes: () => number }> {
  let bytes = 0
  const statuses: Readonly<Record<string, number>> = { HEAD: 404, POST: 202, PATCH: 202, PUT: 201 }
  const server = http.createServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength
    })
    request.on('end', () => {
      response.writeHead(statuses[request.method ?? ''] ?? 400, {
        location: '/v2/app/blobs/uploads/1',
        'content-length': 0,
      })
      response.end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, bytes: () => bytes }
}
