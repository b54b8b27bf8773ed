import { channel } from 'node:diagnostics_channel'
import { sanitizeUrl } from './error.ts'
import type { HttpRequest, HttpResponse } from './http.ts'

/** What subscribers of the channel `orlop:fetch` are told of each HTTP request, once its headers came or it failed. */
export interface FetchReport {
  readonly method: HttpRequest['method']
  /** Without user and fragment, and of its query only the names. */
  readonly url: string
  /** Absent when no response came. */
  readonly status?: number
  /** From sending to the headers of the response, or to the failure. */
  readonly milliseconds: number
}

const reports = channel('orlop:fetch')

/**
 * Passes an exchange through and tells of it on the channel `orlop:fetch` of `node:diagnostics_channel`.
 *
 * Headers and bodies are never told: they may hold secrets.
 */
export async function reported(
  { method, url }: HttpRequest,
  exchange: () => Promise<HttpResponse>,
): Promise<HttpResponse> {
  if (!reports.hasSubscribers) return exchange()
  const begun = performance.now()
  const tell = (status?: number): void =>
    reports.publish({
      method,
      url: sanitizeUrl(url),
      ...(status !== undefined && { status }),
      milliseconds: Math.round(performance.now() - begun),
    } satisfies FetchReport)
  try {
    const response = await exchange()
    tell(response.status)
    return response
  } catch (error) {
    tell()
    throw error
  }
}
