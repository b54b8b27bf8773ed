import { once } from 'node:events'
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import net from 'node:net'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { hasCode } from '../../../src/errors.ts'
import { GrpcServer, type Route, type ServerLimits } from '../../../src/service/grpc/server.ts'
import type { CallStream } from '../../../src/service/grpc/stream.ts'
import { toStatus } from '../../../src/service/status.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

const limits: ServerLimits = {
  message: 1_000_000,
  streams: 100,
  window: 65_536,
  unread: { connection: 10_000_000, all: 20_000_000 },
}

/** A route that ends well with the last message of `work`, or with the status of what it throws. */
const route =
  (work: (call: CallStream) => Promise<readonly Uint8Array[] | undefined>): Route =>
  async call => {
    try {
      call.end({ code: 0 }, await work(call))
    } catch (error) {
      call.end(toStatus(error))
    }
  }

/** Gives back every message, as it comes. */
const echo = route(async call => {
  for (let message = await call.receive(); message !== undefined; message = await call.receive()) {
    await call.send([message])
  }
  return undefined
})

async function serve(
  t: ExecutionContext,
  routes: Readonly<Record<string, Route>>,
  some: Partial<ServerLimits> = {},
) {
  const server = new GrpcServer(new Map(Object.entries(routes)), { ...limits, ...some })
  const listener = net.createServer(socket => server.accept(socket))
  const file = path.join(await temporaryDirectory(t), 's.sock')
  listener.listen(file)
  await once(listener, 'listening')
  const connect = (): ClientHttp2Session => {
    const session = http2.connect('http://localhost', { createConnection: () => net.connect(file) })
    session.on('error', () => undefined)
    t.teardown(() => session.destroy())
    return session
  }
  t.teardown(() => {
    listener.close()
    return server.close(0)
  })
  return { server, connect, session: connect() }
}

const ask = (
  session: ClientHttp2Session,
  path: string,
  headers: http2.OutgoingHttpHeaders = {},
): ClientHttp2Stream => {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  })
  stream.on('error', () => undefined)
  return stream
}

interface Heard {
  readonly http: number | undefined
  readonly status: string | undefined
  readonly text: string
  readonly messages: readonly string[]
}

/** All that a call is answered with. */
async function hear(stream: ClientHttp2Stream): Promise<Heard> {
  let headers: http2.IncomingHttpHeaders = {}
  const chunks: Buffer[] = []
  stream.on('response', got => {
    headers = { ...headers, ...got }
  })
  stream.on('trailers', got => {
    headers = { ...headers, ...got }
  })
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.once('end', () => stream.end())
  await new Promise(resolve => stream.once('close', resolve))
  return {
    http: headers[':status'] === undefined ? undefined : Number(headers[':status']),
    status: headers['grpc-status']?.toString(),
    text: decodeURIComponent(headers['grpc-message']?.toString() ?? ''),
    messages: messagesIn(Buffer.concat(chunks)),
  }
}

function messagesIn(bytes: Buffer): readonly string[] {
  const messages: string[] = []
  for (let at = 0; at < bytes.byteLength; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1)
    messages.push(bytes.subarray(at + 5, end).toString('latin1'))
    at = end
  }
  return messages
}

const frame = (message: string | Buffer, flag = 0): Buffer => {
  const bytes = Buffer.from(message as string, 'latin1')
  const head = Buffer.from([flag, 0, 0, 0, 0])
  head.writeUInt32BE(bytes.byteLength, 1)
  return Buffer.concat([head, bytes])
}

test('messages come whole, however the bytes of them are cut', async t => {
  const { session } = await serve(t, { '/echo': echo })
  const cuts = fc.array(fc.nat({ max: 60 }), { maxLength: 6 })
  const messages = fc.array(fc.string({ maxLength: 40, unit: 'binary-ascii' }), { maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(messages, cuts, async (sent, at) => {
      const bytes = Buffer.concat(sent.map(text => frame(text)))
      const stream = ask(session, '/echo')
      const heard = hear(stream)
      let last = 0
      for (const cut of at.toSorted((a, b) => a - b)) {
        await new Promise(resolve => stream.write(bytes.subarray(last, cut), resolve))
        last = Math.max(last, cut)
      }
      stream.end(bytes.subarray(last))
      t.deepEqual(await heard, { http: 200, status: '0', text: '', messages: sent })
    }),
    { numRuns: 50 },
  )
})

test('large messages come whole both ways, and many at one time', async t => {
  const unread = { connection: 50_000_000, all: 50_000_000 }
  const { session } = await serve(t, { '/echo': echo }, { unread })
  const large = 'x'.repeat(900_000)
  const all = Array.from({ length: 20 }, async () => {
    const stream = ask(session, '/echo')
    stream.end(Buffer.concat([frame(large), frame(''), frame('end')]))
    return hear(stream)
  })
  for (const { status, messages } of await Promise.all(all)) {
    t.is(status, '0')
    t.true(messages.length === 3 && messages[0] === large && messages[2] === 'end')
  }
})

const first = route(async call => [(await call.receive()) ?? Buffer.from('nothing')])

const refused: ReadonlyArray<readonly [what: string, bytes: Buffer, status: string, text: RegExp]> = [
  ['a message over the limit', frame(Buffer.alloc(1_000_001)), '8', /1000001 bytes/],
  ['a length that is a lie', Buffer.from([0, 255, 255, 255, 255]), '8', /4294967295 bytes/],
  ['a compressed message', frame('x', 1), '12', /compressed/],
  ['half a head', Buffer.from([0, 0]), '13', /cut off/],
  ['half a message', frame('half').subarray(0, 7), '13', /cut off/],
]
for (const [what, bytes, status, text] of refused) {
  test(`${what} ends the call with ${status}, and others go on`, async t => {
    const { session } = await serve(t, { '/first': first })
    const stream = ask(session, '/first')
    stream.end(bytes)
    const heard = await hear(stream)
    t.is(heard.status, status)
    t.regex(heard.text, text)
    const next = ask(session, '/first')
    next.end(frame('ok'))
    t.deepEqual((await hear(next)).messages, ['ok'])
  })
}

test('what is no call of gRPC is told so in HTTP, and an unknown path in gRPC', async t => {
  const { session } = await serve(t, { '/first': first })
  const get = session.request({ ':method': 'GET', ':path': '/first' })
  t.is((await hear(get)).http, 405)
  t.is((await hear(ask(session, '/first', { 'content-type': 'text/html' }))).http, 415)
  const unknown = ask(session, '/no/thing%')
  unknown.end(frame('x'))
  t.deepEqual(await hear(unknown), {
    http: 200,
    status: '12',
    text: 'no/thing%: there is no such method here',
    messages: [],
  })
  t.is((await hear(ask(session, '/first', { 'grpc-encoding': 'gzip' }).end(frame('x')))).status, '12')
})

test('a text of any letters goes through the header', async t => {
  const text = 'blob “x” 100% \n中\u0000é'
  const { session } = await serve(t, {
    '/fail': async call => call.end({ code: 5, message: `${text}\ud800`, trailers: { more: '1' } }),
  })
  const heard = await hear(ask(session, '/fail').end())
  t.deepEqual([heard.status, heard.text], ['5', `${text}\ufffd`])
})

test('the first of several values of a header counts', async t => {
  const { session } = await serve(t, {
    '/header': route(async call => [Buffer.from(`${call.header('name')}|${call.header('none')}`)]),
  })
  const stream = ask(session, '/header', { name: ['a', 'b'] })
  stream.end()
  t.deepEqual((await hear(stream)).messages, ['a|'])
})

/** Waits until the signal fires and tells why. */
const hang = (reasons: string[]): Route =>
  route(async call => {
    if (!call.signal.aborted) await once(call.signal, 'abort')
    reasons.push(call.signal.reason.name)
    throw call.signal.reason
  })

test('a deadline that passes stops the work, and is told at once', async t => {
  const reasons: string[] = []
  const { session } = await serve(t, { '/hang': hang(reasons), '/first': first })
  t.is((await hear(ask(session, '/hang', { 'grpc-timeout': '5m' }).end())).status, '4')
  t.deepEqual(reasons, ['TimeoutError'])
  t.is((await hear(ask(session, '/first', { 'grpc-timeout': '99999999H' }).end())).status, '0')
  for (const wrong of ['5', 'm', '5x', '123456789S', '-1S']) {
    t.is((await hear(ask(session, '/first', { 'grpc-timeout': wrong }).end())).status, '13', wrong)
  }
})

test('a client that cancels, or goes away, stops the work', async t => {
  const reasons: string[] = []
  const { session, connect } = await serve(t, { '/hang': hang(reasons) })
  const stream = ask(session, '/hang')
  stream.write(frame('x'))
  await once(session, 'remoteSettings')
  await setTimeout(10)
  stream.close(http2.constants.NGHTTP2_CANCEL)
  while (reasons.length < 1) await setTimeout(5)
  const other = connect()
  ask(other, '/hang').write(frame('x'))
  await once(other, 'remoteSettings')
  await setTimeout(10)
  other.destroy()
  while (reasons.length < 2) await setTimeout(5)
  t.deepEqual(reasons, ['AbortError', 'AbortError'])
})

test('a client that sends on a call that nobody reads is held back by its window', async t => {
  const { session } = await serve(t, { '/hang': hang([]), '/first': first })
  const stream = ask(session, '/hang')
  let left = 0
  const chunk = Buffer.alloc(16_384)
  const more = (): void => {
    stream.write(chunk, error => {
      if (error) return
      left++
      more()
    })
  }
  more()
  // Until nothing leaves any more; other calls of the connection are served meanwhile.
  for (let before = -1; before !== left; ) {
    before = left
    for (let turn = 0; turn < 50; turn++) {
      const other = ask(session, '/first')
      other.end(frame('ok'))
      t.is((await hear(other)).status, '0')
    }
  }
  t.true(left * chunk.byteLength <= 2 * limits.window, `${left * chunk.byteLength} bytes were taken`)
})

test('messages that wait unread are bounded: of a connection and of all, and what is read makes room', async t => {
  const started: CallStream[] = []
  const { session, connect } = await serve(
    t,
    {
      '/slow': route(async call => {
        started.push(call)
        return [(await call.receive()) ?? Buffer.from('')]
      }),
    },
    { unread: { connection: 700_000, all: 1_000_000 } },
  )
  const half = frame('x'.repeat(900_000)).subarray(0, 400_000)
  const begin = async (on: ClientHttp2Session) => {
    const stream = ask(on, '/slow')
    const heard = hear(stream)
    await new Promise(resolve => stream.write(half, resolve))
    return { stream, heard }
  }
  const one = await begin(session)
  const two = await begin(session)
  t.is((await two.heard).status, '8', 'the connection has no room for a second')
  const other = connect()
  const three = await begin(other)
  const four = await begin(connect())
  t.is((await four.heard).status, '8', 'there is no room for a third of all')
  one.stream.close(http2.constants.NGHTTP2_CANCEL)
  three.stream.end(frame('x'.repeat(900_000)).subarray(400_000))
  t.deepEqual(
    (await three.heard).messages[0]?.length,
    undefined,
    'its rest goes over what its connection may have',
  )
  t.is((await three.heard).status, '8')
  const again = await begin(connect())
  again.stream.end(frame('x'.repeat(500_000)).subarray(400_000))
  t.is(started.length, 5)
  again.stream.close(http2.constants.NGHTTP2_CANCEL)
})

test('close() lets calls under way end, and takes no more', async t => {
  let finish: () => void = () => undefined
  const finished = new Promise<void>(resolve => {
    finish = resolve
  })
  const { server, session } = await serve(t, {
    '/wait': route(async call => {
      await call.receive()
      await finished
      return [Buffer.from('done')]
    }),
  })
  const stream = ask(session, '/wait')
  stream.end(frame('x'))
  const heard = hear(stream)
  await once(session, 'remoteSettings')
  await setTimeout(10)
  const goaway = once(session, 'goaway')
  const closed = server.close(60_000)
  await goaway
  finish()
  t.deepEqual((await heard).messages, ['done'])
  await closed
})

test('close() cuts calls off after their time, or when it is told to', async t => {
  for (const cut of [(server: GrpcServer) => server.close(5), abortedClose]) {
    const reasons: string[] = []
    const { server, session } = await serve(t, { '/hang': hang(reasons) })
    const heard = hear(ask(session, '/hang').end(frame('x')))
    await once(session, 'remoteSettings')
    await setTimeout(10)
    await cut(server)
    t.is((await heard).status, undefined)
    t.deepEqual(reasons, ['AbortError'])
  }
})

const abortedClose = async (server: GrpcServer): Promise<void> => {
  const control = new AbortController()
  const closed = server.close(60_000, { signal: control.signal })
  control.abort()
  await closed
}

test('receive() after the end of a call rejects or ends, and send() rejects', async t => {
  const seen: unknown[] = []
  const { session } = await serve(t, {
    '/end': async call => {
      call.end({ code: 0 })
      call.end({ code: 13 })
      seen.push(await call.receive().catch((error: unknown) => hasCode(error, 'INTERNAL')))
    },
  })
  t.is((await hear(ask(session, '/end').end(frame('x')))).status, '0')
  t.deepEqual(seen, [undefined])
})
