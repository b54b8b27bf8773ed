import type { AbortOptions } from '../../options.ts'
import type { Endpoint } from './endpoint.ts'
import { contentLength, type HttpResponse, headerValue } from './http.ts'
import { manifestTypes } from './manifests.ts'
import { pushScope } from './upload-session.ts'

/** A repository at an endpoint, to write to. */
export interface PushPlace {
  readonly endpoint: Endpoint
  readonly repository: string
}

/** What a registry says of a blob or manifest; its claims. */
export interface Head {
  readonly digest: string | undefined
  /** Bytes. */
  readonly size: number | undefined
}

/**
 * Asks for a blob or manifest with the scope of a push, so that one token does for all.
 *
 * @param path  `blobs/<digest>` or `manifests/<name>`
 * @returns `undefined` also when the registry will not tell: what is pushed then gets a refusal that says why
 */
export function headOf(
  { endpoint, repository }: PushPlace,
  path: string,
  what: string,
  options: AbortOptions,
): Promise<Head | undefined> {
  const read = async (response: HttpResponse): Promise<Head | undefined> => {
    await response.body.dump()
    const { status, headers } = response
    if (status < 200 || status >= 300) return undefined
    return { digest: headerValue(headers, 'docker-content-digest'), size: contentLength(response) }
  }
  const request = {
    method: 'HEAD',
    path: `/${repository}/${path}`,
    headers: { accept: manifestTypes },
    scopes: [pushScope(repository)],
    what,
    accept: [401, 403, 404, 405, 501],
  } as const
  return endpoint.exchange(request, read, options)
}
