import type { AbortOptions } from '../../options.ts'
import type { Connection } from './connection.ts'

/** Response headers by lower-case name; one that came several times is a list. */
export type ResponseHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/** One HTTP request, before anything is sent. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** User information and fragment are never sent. */
  readonly url: URL
  /** By lower-case name. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: RequestBody | undefined
  /** Milliseconds until the headers of the response, counted from the last byte sent; default: the client's. */
  readonly headersMs?: number | undefined
  /** How to connect to this origin; absent: as to any. */
  readonly connection?: Connection | undefined
}

/** What a request carries: bytes, which can be sent again, or a stream, which cannot. */
export type RequestBody = string | Uint8Array | StreamedBody

/** A body that is sent as it comes. */
export interface StreamedBody {
  /** Bytes that `chunks` will give, told to the server; absent when that is not known. */
  readonly size?: number | undefined
  /**
   * Iterated at most once, and left early when the request fails or is answered before its end. In small chunks, so that a
   * slow line still shows that it moves.
   */
  readonly chunks: AsyncIterable<Uint8Array>
}

/** True for a body that is gone once it was sent. */
export const isStreamed = (body: RequestBody | undefined): body is StreamedBody =>
  typeof body === 'object' && 'chunks' in body

/** The bytes of a response: iterate them once, or `dump` them; a body that is left alone holds its connection. */
export interface HttpBody extends AsyncIterable<Uint8Array> {
  /** Lets go of the rest; small rests are read so that the connection can be used again. Never throws. */
  dump(): Promise<void>
}

/** One HTTP response whose body is still on the wire. */
export interface HttpResponse {
  readonly status: number
  readonly headers: ResponseHeaders
  readonly method: HttpRequest['method']
  /** What answered in the end, after redirects. */
  readonly url: URL
  /** True when a redirect left the origin that was asked. */
  readonly crossed: boolean
  /** True when a Content-Encoding was undone, so that neither lengths nor ranges speak of the bytes in `body`. */
  readonly encoded: boolean
  readonly body: HttpBody
}

/** Sends a request and resolves when the headers of the response are there, whatever the status. */
export type Send = (request: HttpRequest, options?: AbortOptions) => Promise<HttpResponse>

/** Every value of a header, in order. */
export function headerValues(headers: ResponseHeaders, name: string): readonly string[] {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

/** The first value of a header. */
export const headerValue = (headers: ResponseHeaders, name: string): string | undefined =>
  headerValues(headers, name)[0]

/** The Content-Length of a response in bytes, or `undefined` when it has none that can be believed. */
export function contentLength({ headers }: Pick<HttpResponse, 'headers'>): number | undefined {
  const text = headerValue(headers, 'content-length')
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined
  return Number(text)
}

/** The media type of a response in lower case, without parameters; `''` when it says none. */
export const contentType = ({ headers }: Pick<HttpResponse, 'headers'>): string =>
  (headerValue(headers, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''

/** At most `limit` bytes of a body, the rest dumped; `whole` tells whether that was all of it. */
export async function readUpTo(
  body: HttpBody,
  limit: number,
): Promise<{ readonly bytes: Buffer; readonly whole: boolean }> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size > limit) break
  }
  return { bytes: Buffer.concat(chunks).subarray(0, limit), whole: size <= limit }
}
