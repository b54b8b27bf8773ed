import fs from 'node:fs'
import process from 'node:process'
import { openWriter } from '../../content/blob.ts'
import { fromErrno, isAlreadyExists, OrlopError } from '../../errors.ts'
import { parseDigest } from '../../oci/digest.ts'
import { byteCount, collect, newLabels } from '../arguments.ts'
import type { Register } from '../register.ts'

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
      const size = options.expectedSize
      const labels = newLabels(options.label)
      const { content } = await scope()
      try {
        await using writer = await openWriter(content, { ref, expected: { digest, size } }, { signal })
        let skip = writer.offset
        for await (const chunk of source(file, signal)) {
          const rest = skip > 0 ? chunk.subarray(Math.min(skip, chunk.byteLength)) : chunk
          skip -= chunk.byteLength - rest.byteLength
          if (rest.byteLength > 0) await writer.write(rest, { signal })
        }
        if (skip > 0) {
          throw new OrlopError(
            'FAILED_PRECONDITION',
            `ingest ${ref}: an earlier try had taken ${writer.offset} bytes, ${skip} more than there are now; ` +
              `"orlop content abort ${ref}" drops them`,
          )
        }
        const committed = await writer.commit({ digest, size, labels, signal })
        report(committed)
      } catch (error) {
        // As in ctr: what is there already need not be stored.
        if (!isAlreadyExists(error) || digest === undefined) throw error
        report(digest)
      }
    })

  const report = (digest: string): void => {
    if (global.json) out.json({ digest })
    else if (!global.quiet) out.line(digest)
  }
}

async function* source(file: string | undefined, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const input =
    file === undefined || file === '-'
      ? process.stdin
      : fs.createReadStream(file, { highWaterMark: 1 << 20, signal })
  const stop = (): void => void input.destroy()
  signal.addEventListener('abort', stop)
  try {
    for await (const chunk of input) yield chunk as Uint8Array // both streams give bytes while no encoding is set
  } catch (error) {
    signal.throwIfAborted()
    throw fromErrno(error, file ?? 'stdin')
  } finally {
    signal.removeEventListener('abort', stop)
  }
  signal.throwIfAborted()
}
