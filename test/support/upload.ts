import fs from 'node:fs/promises'
import { blobFile, getJson, type RawDescriptor } from './layout.ts'

/** Puts a blob into a repository in one request. */
export async function uploadBlob(
  url: string,
  repository: string,
  digest: string,
  bytes: Uint8Array,
): Promise<void> {
  const session = await expectStatus(202, `${url}/v2/${repository}/blobs/uploads/`, { method: 'POST' })
  const location = new URL(session.headers.get('location') ?? '', url)
  location.searchParams.set('digest', digest)
  const headers = { 'content-type': 'application/octet-stream' }
  await expectStatus(201, location.href, { method: 'PUT', headers, body: Buffer.from(bytes) })
}

/** Puts a manifest or index into a repository, under a tag or its digest. */
export async function uploadManifest(
  url: string,
  repository: string,
  reference: string,
  mediaType: string,
  bytes: Uint8Array,
): Promise<void> {
  const headers = { 'content-type': mediaType }
  const init = { method: 'PUT', headers, body: Buffer.from(bytes) }
  await expectStatus(201, `${url}/v2/${repository}/manifests/${reference}`, init)
}

/**
 * Pushes what a descriptor of a layout points at, children first, and tags it.
 *
 * Byte for byte, without looking at what it is: for images that skopeo refuses or would change. Layers with URLs stay
 * out.
 */
export async function uploadGraph(
  url: string,
  repository: string,
  tag: string,
  layout: string,
  root: RawDescriptor,
): Promise<void> {
  const upload = async (desc: RawDescriptor, reference: string): Promise<void> => {
    if (desc.urls !== undefined) return
    const bytes = await fs.readFile(blobFile(layout, desc.digest))
    if (!/(manifest|index|list)\.v\d\+json$|manifest\.list/.test(desc.mediaType)) {
      return uploadBlob(url, repository, desc.digest, bytes)
    }
    const { manifests = [], config, layers = [] } = await getJson(layout, desc)
    for (const child of [...manifests, ...(config ? [config] : []), ...layers])
      await upload(child, child.digest)
    await uploadManifest(url, repository, reference, desc.mediaType, bytes)
  }
  await upload(root, tag)
}

const expectStatus = async (status: number, url: string, init: RequestInit): Promise<Response> => {
  const response = await fetch(url, init)
  const body = await response.text()
  if (response.status !== status) throw new Error(`${init.method} ${url}: ${response.status} ${body}`)
  return response
}
