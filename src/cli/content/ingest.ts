import { openWriter } from '../../content/blob.ts'
import type { ContentStore, Labels, Writer, WriterInit } from '../../content/types.ts'
import { isAlreadyExists, OrlopError } from '../../errors.ts'
import { algorithmOf, type Digest, Digester, parseDigest } from '../../oci/digest.ts'
import { byteCount, collect, newLabels } from '../arguments.ts'
import type { Register } from '../register.ts'
import { openInput } from './input.ts'

interface IngestOptions {
  readonly expectedDigest?: string
  readonly expectedSize?: number
  readonly label?: readonly string[]
}

/** `orlop content ingest` */
export const registerIngest: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('ingest <ref> [file]')
    .description(
      'store bytes from a file or stdin; what an earlier try with the same ref had taken is not written again',
    )
    .option('--expected-digest <digest>', 'refuse bytes with another digest')
    .option('--expected-size <bytes>', 'refuse another number of bytes', byteCount)
    .option('--label <key=value>', 'label of the blob; may be repeated', collect)
    .action(async (ref: string, file: string | undefined, options: IngestOptions) => {
      const digest = options.expectedDigest === undefined ? undefined : parseDigest(options.expectedDigest)
      const labels = newLabels(options.label)
      const expected = { digest, size: options.expectedSize }
      // Before the writer: a file that is not there must not leave an ingest behind.
      await using input = await openInput(file, { signal })
      const { content } = await scope()
      const stored = await ingest(content, { ref, expected, labels }, input.bytes, signal)
      if (global.json) out.json({ digest: stored })
      else if (!global.quiet) out.line(stored)
    })
}

interface Ingest extends WriterInit {
  readonly expected: { readonly digest: Digest | undefined; readonly size: number | undefined }
  readonly labels: Labels
}

/** As in ctr, what is there already need not be stored. */
async function ingest(
  content: ContentStore,
  { ref, expected, labels }: Ingest,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<Digest> {
  let actual = expected.digest
  try {
    await using writer = await openWriter(content, { ref, expected }, { signal })
    for await (const chunk of unwritten(bytes, writer, ref)) await writer.write(chunk, { signal })
    actual ??= writer.digest
    return await writer.commit({ ...expected, labels, signal })
  } catch (error) {
    if (!isAlreadyExists(error) || actual === undefined) throw error
    return actual
  }
}

/**
 * The bytes that come after those that the writer has from an earlier try.
 *
 * Those are compared first: two inputs under one ref must not become one blob.
 */
async function* unwritten(
  bytes: AsyncIterable<Uint8Array>,
  { offset, digest }: Writer,
  ref: string,
): AsyncGenerator<Uint8Array> {
  const digester = new Digester(algorithmOf(digest))
  let skip = offset
  for await (const chunk of bytes) {
    const known = chunk.subarray(0, skip)
    const rest = chunk.subarray(known.byteLength)
    if (known.byteLength > 0) {
      digester.update(known)
      skip -= known.byteLength
      if (skip === 0 && digester.digest() !== digest) throw otherBytes(ref, `its ${offset} bytes were others`)
    }
    if (rest.byteLength > 0) yield rest
  }
  if (skip > 0) throw otherBytes(ref, `it had taken ${offset} bytes, ${skip} more than there are now`)
}

const otherBytes = (ref: string, how: string): OrlopError =>
  new OrlopError(
    'FAILED_PRECONDITION',
    `ingest ${ref}: an earlier try with this ref took something else: ${how}; "orlop content abort ${ref}" drops them`,
  )
