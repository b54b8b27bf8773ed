import { once } from 'node:events'
import fs from 'node:fs/promises'
import http2, { type ServerHttp2Stream } from 'node:http2'
import net from 'node:net'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CallError } from '../../../src/service/grpc/call-error.ts'
import { GrpcClient } from '../../../src/service/grpc/client.ts'
import type { ClientCall } from '../../../src/service/grpc/client-call.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

type Answer = (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void

const limits = { message: 1_000_000, window: 65_536 }

/** A server of Node's, that answers as it is told to, and a client of it. */
async function serve(t: ExecutionContext, answer: Answer, settings: http2.Settings = {}) {
  const server = http2.createServer({ settings })
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', session => {
    sessions.add(session)
    session.on('error', () => undefined)
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined)
    answer(stream, headers)
  })
  const file = path.join(await temporaryDirectory(t), 's.sock')
  server.listen(file)
  await once(server, 'listening')
  const client = new GrpcClient(() => net.connect(file), limits)
  t.teardown(() => {
    client[Symbol.dispose]()
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { client, file, server, sessions }
}

const begin = { ':status': 200, 'content-type': 'application/grpc' }

const frame = (message: string | Buffer, flag = 0): Buffer => {
  const bytes = Buffer.from(message as string, 'latin1')
  const head = Buffer.from([flag, 0, 0, 0, 0])
  head.writeUInt32BE(bytes.byteLength, 1)
  return Buffer.concat([head, bytes])
}

/** Ends a call with messages and trailers. */
function finish(stream: ServerHttp2Stream, bytes: Buffer, trailers: http2.OutgoingHttpHeaders): void {
  stream.respond(begin, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  stream.end(bytes)
}

const wellAnswered =
  (...messages: readonly string[]): Answer =>
  stream => {
    stream.resume()
    finish(stream, Buffer.concat(messages.map(text => frame(text))), { 'grpc-status': '0' })
  }

async function all(call: ClientCall): Promise<readonly string[]> {
  const messages: string[] = []
  for (let message = await call.receive(); message !== undefined; message = await call.receive()) {
    messages.push(message.toString('latin1'))
  }
  return messages
}

const ask = (client: GrpcClient, headers: http2.OutgoingHttpHeaders = {}): ClientCall => {
  const call = client.call('/a.B/C', headers)
  call.sendLast([Buffer.from('question')])
  return call
}

const failed = async (t: ExecutionContext, call: ClientCall): Promise<CallError> =>
  (await t.throwsAsync(all(call), { instanceOf: CallError })) ?? t.fail('there was no error')

test('a call tells its path and headers, and gives every message', async t => {
  let asked: http2.IncomingHttpHeaders = {}
  const { client } = await serve(t, (stream, headers) => {
    asked = headers
    wellAnswered('one', '', 'three')(stream, headers)
  })
  t.deepEqual(await all(ask(client, { name: 'value' })), ['one', '', 'three'])
  t.is(asked[':method'], 'POST')
  t.is(asked[':path'], '/a.B/C')
  t.is(asked['content-type'], 'application/grpc')
  t.is(asked.te, 'trailers')
  t.is(asked.name, 'value')
})

test('thousands of calls end on one connection without a reset, which servers count', async t => {
  let resets = 0
  const { client, sessions } = await serve(t, (stream, headers) => {
    stream.on('close', () => {
      if (stream.rstCode !== 0) resets++
    })
    wellAnswered('x')(stream, headers)
  })
  for (let at = 0; at < 1500; at++) {
    const call = ask(client)
    await all(call)
    call.cancel()
  }
  t.is(resets, 0)
  t.is(sessions.size, 1)
})

const ends: ReadonlyArray<
  readonly [what: string, answer: Answer, code: number, text: RegExp, fate: string | undefined]
> = [
  [
    'a status in the headers',
    stream =>
      stream.respond(
        { ...begin, 'grpc-status': '5', 'grpc-message': 'no %E2%80%9Cx%E2%80%9D 100%' },
        { endStream: true },
      ),
    5,
    /^no “x” 100%$/,
    undefined,
  ],
  [
    'a status in the trailers, behind a message',
    stream => finish(stream, frame('x'), { 'grpc-status': '9', 'grpc-message': 'why' }),
    9,
    /^why$/,
    undefined,
  ],
  ['a status that is none', stream => finish(stream, frame(''), { 'grpc-status': 'x' }), 2, /^$/, undefined],
  ['no status', stream => finish(stream, frame('x'), {}), 13, /reset 0/, 'lost'],
  ['a reset', stream => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR), 13, /reset 2/, 'lost'],
  ['a cancel', stream => stream.close(http2.constants.NGHTTP2_CANCEL), 1, /reset 8/, 'lost'],
  ['a refusal', stream => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM), 14, /not taken/, 'unsent'],
  ['haste', stream => stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM), 8, /reset 11/, 'lost'],
  [
    'HTTP 503',
    stream => stream.respond({ ':status': 503 }, { endStream: true }),
    14,
    /status 503/,
    undefined,
  ],
  ['HTTP 415', stream => stream.respond({ ':status': 415 }, { endStream: true }), 2, /status 415/, undefined],
  ['a connection that ends', stream => stream.session?.destroy(), 14, /closed/, 'lost'],
]
for (const [what, answer, code, text, fate] of ends) {
  test(`${what} is an error that says so, and the next call goes well`, async t => {
    let isFirst = true
    const { client } = await serve(t, (stream, headers) => {
      if (!isFirst) return wellAnswered('ok')(stream, headers)
      isFirst = false
      stream.resume()
      answer(stream, headers)
    })
    const error = await failed(t, ask(client))
    t.deepEqual([error.code, error.fate], [code, fate])
    t.regex(error.message, text)
    t.deepEqual(await all(ask(client)), ['ok'])
  })
}

for (const [status, code, fate] of [
  [200, 13, 'lost'],
  [404, 12, undefined],
] as const) {
  test(`a server that ends a call with HTTP ${status} alone, while the client still sends, is told of`, async t => {
    const { client } = await serve(t, stream => {
      stream.resume()
      stream.respond({ ...begin, ':status': status }, { endStream: true })
    })
    const call = client.call('/a.B/C', {})
    await call.send([Buffer.from('first')])
    const error = await failed(t, call)
    t.deepEqual([error.code, error.fate], [code, fate])
  })
}

test('trailers in binary are given as text, the first of several', async t => {
  const { client } = await serve(t, stream => {
    const text = Buffer.from('“text”').toString('base64')
    finish(stream, frame(''), { 'grpc-status': '5', 'one-bin': text, 'two-bin': [text, 'AAAA'] })
  })
  const error = await failed(t, ask(client))
  t.deepEqual(
    [error.binary('one-bin'), error.binary('two-bin'), error.binary('none-bin')],
    ['“text”', '“text”', undefined],
  )
})

const broken: ReadonlyArray<readonly [what: string, bytes: Buffer, code: string]> = [
  ['a message over the limit', frame(Buffer.alloc(1_000_001)), 'RESOURCE_EXHAUSTED'],
  ['a compressed message', frame('x', 1), 'UNIMPLEMENTED'],
  ['half a message', frame('half').subarray(0, 7), 'INTERNAL'],
]
for (const [what, bytes, code] of broken) {
  test(`${what} is refused with ${code}`, async t => {
    const { client } = await serve(t, stream => {
      stream.resume()
      finish(stream, bytes, { 'grpc-status': '0' })
    })
    await t.throwsAsync(all(ask(client)), { code })
  })
}

test('a message that is too large to be sent is refused, and the server hears of a cancel', async t => {
  let reset: (code: number) => void = () => undefined
  const heard = new Promise<number>(resolve => {
    reset = resolve
  })
  const { client } = await serve(t, stream => {
    stream.on('close', () => reset(stream.rstCode))
    stream.resume()
  })
  const call = client.call('/a.B/C', {})
  await call.send([Buffer.from('x')])
  await t.throwsAsync(call.send([Buffer.alloc(1_000_001)]), { code: 'RESOURCE_EXHAUSTED' })
  t.is(await heard, http2.constants.NGHTTP2_CANCEL)
  t.is((await failed(t, call)).code, 1)
})

test('a server that does not read holds the client back, and lets it go on when it reads', async t => {
  let stalled: ServerHttp2Stream | undefined
  const { client } = await serve(t, stream => {
    stalled ??= stream
    stream.respond(begin, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.write(frame('begun'))
  })
  const call = client.call('/a.B/C', {})
  await call.send([Buffer.from('first')])
  t.is((await call.receive())?.toString(), 'begun')
  let sent = 0
  const sending = (async () => {
    for (; sent < 20; sent++) await call.send([Buffer.alloc(100_000)])
    call.end()
  })()
  // Until nothing leaves any more; another call of the connection goes to and fro meanwhile.
  for (let before = -1; before !== sent; ) {
    before = sent
    const other = client.call('/a.B/C', {})
    t.is((await other.receive())?.toString(), 'begun')
    other.cancel()
  }
  t.true(sent < 5, `${sent} messages left`)
  let bytes = 0
  stalled?.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength
  })
  stalled?.once('end', () => stalled?.end())
  await sending
  t.is(await call.receive(), undefined)
  t.is(bytes, 10 + 20 * 100_005)
})

test('who does not take messages holds the server back', async t => {
  let waiting = 0
  const { client } = await serve(t, stream => {
    stream.resume()
    stream.respond(begin)
    for (let at = 0; at < 100; at++) stream.write(frame(Buffer.alloc(100_000)))
    waiting = stream.writableLength
    stream.once('close', () => {
      waiting = 0
    })
  })
  const call = ask(client)
  t.is((await call.receive())?.byteLength, 100_000)
  t.true(waiting > 9_000_000)
  call.cancel()
  t.is((await failed(t, call)).code, 1)
})

test('calls on a socket where nobody listens, or that is none, were not sent', async t => {
  const directory = await temporaryDirectory(t)
  const file = path.join(directory, 'file')
  await fs.writeFile(file, '')
  for (const [where, errno] of [
    [path.join(directory, 'none'), 'ENOENT'],
    [file, 'ECONNREFUSED'],
  ] as const) {
    const client = new GrpcClient(() => net.connect(where), limits)
    for (let time = 0; time < 2; time++) {
      const error = await failed(t, ask(client))
      t.is(error.fate, 'unsent')
      t.like(error.cause, { code: errno, syscall: 'connect' })
    }
  }
})

test('a server that speaks something else is told of', async t => {
  const file = path.join(await temporaryDirectory(t), 's.sock')
  const server = net.createServer(socket => {
    socket.on('error', () => undefined)
    socket.end('220 mail.example ESMTP\r\n'.repeat(10))
  })
  server.listen(file)
  await once(server, 'listening')
  t.teardown(() => server.close())
  const error = await failed(t, ask(new GrpcClient(() => net.connect(file), limits)))
  t.deepEqual([error.code, error.fate], [14, 'lost'])
})

test('calls go over TCP as well', async t => {
  const { server } = await serve(t, wellAnswered('unix'))
  const tcp = net.createServer(socket => server.emit('connection', socket))
  tcp.listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const address = tcp.address()
  if (address === null || typeof address === 'string') return t.fail('no port')
  const client = new GrpcClient(() => net.connect(address.port, '127.0.0.1'), limits)
  t.teardown(() => {
    client[Symbol.dispose]()
    tcp.close()
  })
  t.deepEqual(await all(ask(client)), ['unix'])
})

test('more calls than the server takes at one time wait for their turn', async t => {
  let [open, most] = [0, 0]
  const { client } = await serve(
    t,
    (stream, headers) => {
      most = Math.max(most, ++open)
      stream.on('close', () => open--)
      setImmediate(() => wellAnswered('x')(stream, headers))
    },
    { maxConcurrentStreams: 3 },
  )
  await all(ask(client))
  const answers = await Promise.all(Array.from({ length: 20 }, () => all(ask(client))))
  t.true(answers.every(messages => messages[0] === 'x'))
  t.true(most <= 3, `${most} at one time`)
})

test('dispose() cuts calls that are open, and refuses others', async t => {
  const { client } = await serve(t, stream => stream.resume())
  const call = ask(client)
  const failure = failed(t, call)
  await new Promise(setImmediate)
  client[Symbol.dispose]()
  t.is((await failure).code, 14)
  t.throws(() => ask(client), { code: 'FAILED_PRECONDITION' })
})

test('dispose() of a client that has just connected does no harm', async t => {
  const { file } = await serve(t, wellAnswered('x'))
  const socket = net.connect(file)
  await once(socket, 'connect')
  const client = new GrpcClient(() => socket, limits)
  const failure = failed(t, ask(client))
  client[Symbol.dispose]()
  t.is((await failure).code, 14)
})
