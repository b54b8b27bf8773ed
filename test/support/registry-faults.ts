import type http from 'node:http'
import { gzipSync } from 'node:zlib'
import { type Exchange, type Fault, send } from './registry.ts'
import type { Answer } from './registry-answer.ts'

/** Another answer than the sound one. */
export const change =
  (edit: (answer: Answer, request: http.IncomingMessage) => Answer): Fault =>
  exchange =>
    send(exchange, edit(exchange.answer(), exchange.request))

/** A status with headers and a body. */
export const status = (code: number, headers: Answer['headers'] = {}, body = ''): Fault =>
  change(() => ({ status: code, headers, body: Buffer.from(body) }))

/** Closes the connection before a byte is said. */
export const hangUp: Fault = ({ request }) => {
  request.socket.destroy()
}

/** Takes the request and never answers. */
export const silence: Fault = () => {}

/** Sends the first bytes of the sound answer and then closes the connection. */
export const dropAfter =
  (bytes: number): Fault =>
  exchange =>
    begin(exchange, bytes, () => exchange.request.socket.destroy())

/** Sends the first bytes of the sound answer and then nothing more. */
export const stallAfter =
  (bytes: number): Fault =>
  exchange =>
    begin(exchange, bytes, () => {})

function begin(exchange: Exchange, bytes: number, then: () => void): void {
  const { status: code, headers, body } = exchange.answer()
  const { response } = exchange
  response.writeHead(code, { ...headers, 'content-length': body.byteLength } as http.OutgoingHttpHeaders)
  response.flushHeaders()
  // The bytes must be out of this process before the connection goes.
  response.write(body.subarray(0, bytes), () => setImmediate(then))
}

/** A redirect. */
export const redirect = (location: string, code = 307): Fault => status(code, { location })

/** The whole body with status 200, whatever range was asked for. */
export const ignoreRange: Fault = exchange => {
  delete exchange.request.headers.range
  send(exchange, exchange.answer())
}

/** The first bytes of the whole body, whatever range was asked for, and then the end of the connection. */
export const ignoreRangeAndDrop =
  (bytes: number): Fault =>
  exchange => {
    delete exchange.request.headers.range
    dropAfter(bytes)(exchange)
  }

/** The sound answer with other headers; an empty one is left out. */
export const headers = (other: Readonly<Record<string, string>>): Fault =>
  change(answer => {
    const all = Object.entries({ ...answer.headers, ...other }).filter(([, value]) => value !== '')
    return { ...answer, headers: Object.fromEntries(all) }
  })

/** Other bytes of the same length. */
export const wrongBytes: Fault = change(answer => ({ ...answer, body: Buffer.from(answer.body).fill(0x78) }))

/** The sound answer in chunks, without its length; with `bytes`, it ends cleanly after so many. */
export const chunked =
  (bytes?: number): Fault =>
  exchange => {
    const { status: code, headers: sound, body } = exchange.answer()
    exchange.response.writeHead(code, sound as http.OutgoingHttpHeaders)
    exchange.response.flushHeaders()
    exchange.response.end(exchange.request.method === 'HEAD' ? undefined : body.subarray(0, bytes))
  }

/** The sound answer with a body that never ends. */
export const endless: Fault = ({ response, answer }) => {
  const { status: code, headers: sound, body } = answer()
  response.writeHead(code, sound as http.OutgoingHttpHeaders)
  const chunk = Buffer.concat([body, Buffer.alloc(64 * 1024)])
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more)
  }
  more()
}

/** The sound body under a Content-Encoding that nobody asked for. */
export const encoded = (
  encoding = 'gzip',
  encode: (body: Buffer) => Buffer = body => gzipSync(body),
): Fault =>
  change(answer => ({
    ...answer,
    headers: { ...answer.headers, 'content-encoding': encoding },
    body: encode(answer.body),
  }))

/** A page for people where a document was wanted. */
export const htmlPage: Fault = status(
  200,
  { 'content-type': 'text/html' },
  '<!DOCTYPE html><html>Please log in</html>',
)
