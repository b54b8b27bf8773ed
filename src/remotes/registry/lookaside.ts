import fs from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { errnoOf, makeDurableDirectory, replaceFile } from '../../content/fs-durable.ts'
import { fromErrno, OrlopError } from '../../errors.ts'
import {
  decodeSignature,
  encodeSignature,
  maxSignatureSize,
  maxSignatures,
  type Signature,
  sameSignature,
} from '../../images/signature.ts'
import { algorithmOf, type Digest, encodedOf } from '../../oci/digest.ts'
import type { AbortOptions } from '../../options.ts'
import { responseError, sanitizeUrl } from './error.ts'
import { readUpTo, type Send } from './http.ts'
import { followRedirects } from './redirect.ts'
import { type RetryPolicy, retry } from './retry.ts'

/** What reads of a lookaside by HTTP go through: a way to send that knows no credentials. */
export interface LookasideOptions {
  readonly send: Send
  readonly policy: RetryPolicy
}

/** Signatures beside a registry: files `<repository>@<algorithm>=<hex>/signature-<n>` below a base, n from 1 on. */
export class Lookaside {
  readonly #send: Send
  readonly #policy: RetryPolicy

  constructor({ send, policy }: LookasideOptions) {
    this.#send = followRedirects(send)
    this.#policy = policy
  }

  /**
   * The signatures of a manifest, up to the first that is missing.
   *
   * @param base  a URL of file, http or https
   * @param repository  its path, without the registry
   * @throws RESOURCE_EXHAUSTED  more than 128, or one of more than 4 MiB
   * @throws INVALID_ARGUMENT  a file that is no signature
   */
  async read(
    base: URL,
    repository: string,
    digest: Digest,
    options: AbortOptions = {},
  ): Promise<readonly Signature[]> {
    const signatures: Signature[] = []
    for (;;) {
      const url = urlOf(base, repository, digest, signatures.length + 1)
      const bytes = url.protocol === 'file:' ? await readFile(url, options) : await this.#fetch(url, options)
      if (bytes === undefined) return signatures
      if (signatures.length === maxSignatures)
        throw new OrlopError(
          'RESOURCE_EXHAUSTED',
          `lookaside: more than ${maxSignatures} signatures of ${digest}`,
        )
      signatures.push(decodeSignature(bytes, `signature ${sanitizeUrl(url)}`))
    }
  }

  /**
   * Adds signatures behind those that are there, durably; the same one is not added twice.
   *
   * @throws FAILED_PRECONDITION  a base of http or https cannot be written to
   */
  async write(
    base: URL,
    repository: string,
    digest: Digest,
    signatures: readonly Signature[],
    options: AbortOptions = {},
  ): Promise<void> {
    checkWritable(base)
    const known = [...(await this.read(base, repository, digest, options))]
    for (const signature of signatures.filter(one => !known.some(other => sameSignature(one, other)))) {
      options.signal?.throwIfAborted()
      known.push(signature)
      await writeFile(base, urlOf(base, repository, digest, known.length), encodeSignature(signature))
    }
  }

  async #fetch(url: URL, { signal }: AbortOptions): Promise<Uint8Array | undefined> {
    const what = `signature ${sanitizeUrl(url)}`
    const attempt = async (): Promise<Uint8Array | undefined> => {
      const response = await this.#send({ method: 'GET', url }, { signal })
      if (response.status === 404) {
        await response.body.dump()
        return undefined
      }
      if (response.status !== 200)
        throw await responseError(response, { what, registry: url.host, now: this.#policy.now })
      const { bytes, whole } = await readUpTo(response.body, maxSignatureSize)
      if (!whole) throw tooLarge(what)
      return bytes
    }
    return retry(attempt, this.#policy, { signal })
  }
}

/** Throws for a base that signatures cannot be written to. @throws FAILED_PRECONDITION */
export function checkWritable(base: URL): void {
  if (base.protocol === 'file:') return
  throw new OrlopError(
    'FAILED_PRECONDITION',
    `lookaside ${sanitizeUrl(base)}: cannot be written to; name a directory as lookaside-staging in registries.d, or leave signatures behind`,
  )
}

/** Where a signature lies. The repository and the digest were parsed, so nothing in them leads out of the base. */
function urlOf(base: URL, repository: string, digest: Digest, number: number): URL {
  const url = new URL(base)
  const above = url.pathname.replace(/\/+$/, '')
  url.pathname = `${above}/${repository}@${algorithmOf(digest)}=${encodedOf(digest)}/signature-${number}`
  return url
}

function fileOf(url: URL): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw new OrlopError('INVALID_ARGUMENT', `lookaside ${sanitizeUrl(url)}: not a path of this machine`, {
      cause,
    })
  }
}

async function readFile(url: URL, { signal }: AbortOptions): Promise<Uint8Array | undefined> {
  const file = fileOf(url)
  const what = `signature ${file}`
  try {
    const found = await fs.stat(file)
    // A pipe would be waited for, and a device read without end.
    if (!found.isFile()) throw new OrlopError('FAILED_PRECONDITION', `${what}: not a file`)
    if (found.size > maxSignatureSize) throw tooLarge(what)
    return await fs.readFile(file, { ...(signal && { signal }) })
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw fromErrno(error, what)
  }
}

async function writeFile(base: URL, url: URL, bytes: Uint8Array): Promise<void> {
  const file = fileOf(url)
  try {
    await makeDurableDirectory(fileOf(base), path.dirname(file))
    await replaceFile(file, bytes)
  } catch (error) {
    throw fromErrno(error, `signature ${pathToFileURL(file).pathname}`)
  }
}

const tooLarge = (what: string): OrlopError =>
  new OrlopError('RESOURCE_EXHAUSTED', `${what}: larger than the ${maxSignatureSize} bytes allowed`)
