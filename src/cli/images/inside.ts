import type { Command } from 'commander'
import type { Provider } from '../../content/types.ts'
import { lastOf } from '../../images/select.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { FileLimits } from '../../runtime/files/types.ts'
import { selectPaths } from '../../runtime/select.ts'
import { count, size, wantedPlatforms } from '../arguments.ts'
import type { Context } from '../context.ts'
import { lookupImage } from '../lookup.ts'
import { printableLine, toJson } from '../output.ts'
import { addRegistryOptions, type RegistryOptions } from '../registry-options.ts'
import { withRemote } from '../remote.ts'

/** Options of the commands that look into images. */
export interface InsideOptions extends RegistryOptions {
  readonly platform?: string
  readonly remote?: boolean
  readonly maxEntries?: number
  readonly maxBytes?: number
}

/** Adds the options of `InsideOptions`. */
export const addInsideOptions = (command: Command): Command =>
  addRegistryOptions(
    command
      .option('--platform <os/arch>', 'platform to look at, the host’s by default')
      .option(
        '--remote',
        'read from the registry, and pull nothing; docker:// before a name says so of one image',
      )
      .option('--max-entries <n>', 'give up when the layers have more entries; default 1000000', count)
      .option(
        '--max-bytes <size>',
        'give up when the layers have more bytes uncompressed, such as 20GiB',
        size,
      ),
  )

/** The bounds that the options set. */
export const limitsOf = ({ maxEntries, maxBytes }: InsideOptions): FileLimits => ({ maxEntries, maxBytes })

const registryPrefix = 'docker://'

/** True for an image that is to be read in its registry. */
export const isRemote = (text: string, { remote }: InsideOptions): boolean =>
  remote === true || text.startsWith(registryPrefix)

/** Runs `work` on the manifest of an image for the platform asked for, in the store or in a registry. */
export async function withManifest(
  text: string,
  options: InsideOptions,
  context: Context,
  work: (provider: Provider, manifest: Descriptor, name: string) => Promise<void>,
): Promise<void> {
  const { signal } = context
  const wanted = wantedPlatforms(options.platform === undefined ? undefined : [options.platform])
  const chosen = async (provider: Provider, target: Descriptor, name: string): Promise<void> => {
    const [path = [target]] = await selectPaths(provider, target, wanted, { signal })
    await work(provider, lastOf(path), name)
  }
  if (isRemote(text, options)) {
    const name = text.startsWith(registryPrefix) ? text.slice(registryPrefix.length) : text
    return withRemote(name, options, context, chosen)
  }
  const { images, disk } = await context.scope()
  const record = await lookupImage(images, text, { signal })
  await chosen(disk, record.target, record.name)
}

/** Prints many lines, no faster than they are read. */
export class Lines {
  readonly #out: Context['out']
  #text = ''

  constructor(out: Context['out']) {
    this.#out = out
  }

  async add(line: string): Promise<void> {
    this.#text += `${printableLine(line)}\n`
    if (this.#text.length > 65_536) await this.end()
  }

  /** Prints what is left. */
  async end(): Promise<void> {
    const text = this.#text
    this.#text = ''
    if (text !== '') await this.#out.bytes(Buffer.from(text))
  }
}

/** Prints a list as one JSON document, item by item, as `out.json` would print it whole. */
export class Documents {
  readonly #out: Context['out']
  #text = '['
  #count = 0

  constructor(out: Context['out']) {
    this.#out = out
  }

  async add(item: object): Promise<void> {
    // A line break within JSON is never part of a string.
    this.#text += `${this.#count++ === 0 ? '' : ','}\n  ${toJson(item, 2).replaceAll('\n', '\n  ')}`
    if (this.#text.length > 65_536) await this.#print()
  }

  /** Ends the document. */
  async end(): Promise<void> {
    this.#text += this.#count === 0 ? ']\n' : '\n]\n'
    await this.#print()
  }

  async #print(): Promise<void> {
    const text = this.#text
    this.#text = ''
    await this.#out.bytes(Buffer.from(text))
  }
}
