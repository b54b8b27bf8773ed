import { channel } from 'node:diagnostics_channel'
import type { HttpBody, HttpRequest, HttpResponse } from './http.ts'
import { redactHeaders, redactJson, redactRequestBody, redactUrl, secretsOf } from './redact.ts'

/** One step of an exchange, as subscribers of the channel `orlop:http` are told. Secrets are taken out. */
export type HttpTrace = { readonly id: number } & (
  | {
      readonly type: 'request'
      readonly method: HttpRequest['method']
      readonly url: string
      readonly headers: Readonly<Record<string, string>>
      /** Forms without secrets; of other bodies how much they are. */
      readonly body?: string
    }
  | {
      readonly type: 'response'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly milliseconds: number
    }
  | {
      readonly type: 'body'
      /** How many were read. */
      readonly bytes: number
      /** Small JSON documents without secrets; other bodies are not told. */
      readonly text?: string
      readonly milliseconds: number
    }
  | { readonly type: 'failure'; readonly message: string; readonly milliseconds: number }
)

const traces = channel('orlop:http')
let count = 0

/** Larger documents are not told. */
const maxText = 64 * 1024

/**
 * Passes an exchange through and tells of each of its steps on the channel `orlop:http` of `node:diagnostics_channel`.
 *
 * What is told has no secrets: Authorization, cookies and headers that are not known, values of queries and forms, and in
 * documents whatever is called a token, password, key or the like, or repeats a secret of the request.
 */
export async function traced(
  request: HttpRequest,
  exchange: () => Promise<HttpResponse>,
): Promise<HttpResponse> {
  if (!traces.hasSubscribers) return exchange()
  const id = ++count
  const begun = performance.now()
  const milliseconds = (): number => Math.round(performance.now() - begun)
  const secrets = secretsOf(request)
  tellRequest(id, request)
  try {
    const response = await exchange()
    const { status } = response
    const headers = redactHeaders(response.headers, request.url, secrets)
    tell({ id, type: 'response', status, headers, milliseconds: milliseconds() })
    const told = (bytes: number, document: string | undefined): void => {
      const text = document === undefined ? undefined : redactJson(document, secrets)
      tell({ id, type: 'body', bytes, ...(text !== undefined && { text }), milliseconds: milliseconds() })
    }
    return { ...response, body: watched(response.body, told) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    tell({ id, type: 'failure', message, milliseconds: milliseconds() })
    throw error
  }
}

function tellRequest(id: number, request: HttpRequest): void {
  const { method, url, headers = {} } = request
  const body = redactRequestBody(request)
  const shown = { method, url: redactUrl(url), headers: redactHeaders(headers, url) }
  tell({ id, type: 'request', ...shown, ...(body !== undefined && { body }) })
}

const tell = (trace: HttpTrace): void => traces.publish(trace)

/** A body that tells in the end how much was read, and a small one what it was. */
const watched = (body: HttpBody, told: (bytes: number, text: string | undefined) => void): HttpBody => ({
  async *[Symbol.asyncIterator]() {
    let kept: Uint8Array[] | undefined = []
    let bytes = 0
    try {
      for await (const chunk of body) {
        bytes += chunk.byteLength
        if (bytes > maxText) kept = undefined
        kept?.push(chunk)
        yield chunk
      }
    } finally {
      told(bytes, kept && Buffer.concat(kept).toString())
    }
  },
  dump: () => body.dump(),
})
