import http from 'node:http'
import https from 'node:https'
import { isIndex, isManifest } from '../../src/oci/media-type.ts'
import { flat, type Node } from './image.ts'

/** How to reach the registry: authorities, a client certificate, credentials. */
export interface PushOptions extends Pick<https.RequestOptions, 'ca' | 'cert' | 'key'> {
  readonly authorization?: string
}

/** Uploads a graph to a real registry at `url`, leaves first, its root under a tag. */
export async function push(
  url: string,
  repository: string,
  tag: string,
  root: Node,
  options: PushOptions = {},
): Promise<void> {
  const base = `${url}/v2/${repository}`
  for (const { desc, bytes } of flat(root).toReversed()) {
    const { mediaType, digest } = desc
    if (isManifest(desc) || isIndex(desc)) {
      const name = digest === root.desc.digest ? tag : digest
      await exchange('PUT', `${base}/manifests/${name}`, bytes, { 'content-type': mediaType }, options)
      continue
    }
    const session = await exchange('POST', `${base}/blobs/uploads/`, '', {}, options)
    const location = new URL(session, url)
    location.searchParams.set('digest', digest)
    const type = { 'content-type': 'application/octet-stream' }
    await exchange('PUT', location.href, bytes, type, options)
  }
}

/** One request; resolves with the Location of a 201 or 202. */
function exchange(
  method: string,
  url: string,
  body: Uint8Array | string,
  headers: http.OutgoingHttpHeaders,
  { authorization, ...tls }: PushOptions,
): Promise<string> {
  const { request } = url.startsWith('https:') ? https : http
  const all = { ...headers, ...(authorization !== undefined && { authorization }) }
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: all, ...tls }, response => {
      response.resume()
      response.on('end', () => {
        const { statusCode = 0 } = response
        if (statusCode === 201 || statusCode === 202) resolve(response.headers.location ?? '')
        else reject(new Error(`${method} ${url} was answered with ${statusCode}`))
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
