import { checkRange } from '../../content/range.ts'
import type { Provider } from '../../content/types.ts'
import { responseError } from './error.ts'
import { readRanges } from './fetch.ts'
import type { Send } from './http.ts'
import { type AddressGuard, guardedSend } from './private-address.ts'
import { followRedirects } from './redirect.ts'
import { type RetryNotice, type RetryPolicy, retry } from './retry.ts'

/** What fetches foreign layers: a way to send that knows no credentials. */
export interface ForeignOptions {
  readonly send: Send
  readonly policy: RetryPolicy
  /** Looks at the host of every URL, redirects too; absent: any address will do. */
  readonly guard?: AddressGuard | undefined
  readonly onRetry?: ((notice: RetryNotice & { readonly what: string }) => void) | undefined
}

/** The URLs of a target that are fit to be fetched: http and https. */
export const fetchableUrls = (urls: readonly string[] = []): readonly URL[] =>
  urls
    .filter(text => URL.canParse(text))
    .map(text => new URL(text))
    .filter(({ protocol }) => protocol === 'https:' || protocol === 'http:')

/**
 * A blob at a URL that its descriptor names, without any credentials.
 *
 * @see CVE-2020-15157: whoever writes a manifest chooses these URLs
 */
export function foreignBlob(url: URL, { send, policy, guard, onRetry }: ForeignOptions): Provider {
  const guarded = followRedirects(guardedSend(send, guard))
  return {
    read(target, options = {}) {
      checkRange(options)
      const what = `layer ${target.digest} at ${url.host}`
      const tell = (notice: RetryNotice): void => onRetry?.({ ...notice, what })
      const open = (range: string | undefined, { signal }: { readonly signal?: AbortSignal | undefined }) =>
        retry(
          async () => {
            const headers = range === undefined ? {} : { range }
            const response = await guarded({ method: 'GET', url, headers }, { signal })
            if ([200, 206, 416].includes(response.status)) return response
            throw await responseError(response, { what, registry: url.host, now: policy.now })
          },
          policy,
          { signal, onRetry: tell },
        )
      return readRanges(open, target, what, { ...options, policy, onRetry: tell })
    },
  }
}
