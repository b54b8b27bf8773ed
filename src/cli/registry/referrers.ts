import type { Descriptor } from '../../oci/descriptor.ts'
import { fullReference, parseReference } from '../../oci/reference.ts'
import { formatBytes } from '../output.ts'
import type { Register } from '../register.ts'
import { addRegistryOptions, type RegistryOptions } from '../registry-options.ts'
import { withResolver } from '../remote.ts'

interface ReferrersFlags extends RegistryOptions {
  readonly artifactType?: string
}

/** `orlop registry referrers` */
export const registerReferrers: Register = (noun, context) => {
  const { out, signal, options: global } = context
  const command = noun
    .command('referrers <reference>')
    .description('list what refers to an image: signatures, attestations, bills of materials')
    .option('--artifact-type <type>', 'only what is of this type')
  addRegistryOptions(command).action(async (text: string, { artifactType, ...options }: ReferrersFlags) => {
    const reference = fullReference(text)
    await withResolver(reference, options, context, async resolver => {
      const { digest: given } = parseReference(reference)
      const digest = given ?? (await resolver.resolve(reference, { signal })).digest
      const repository = await resolver.repository(reference, { signal })
      const found: Descriptor[] = []
      for await (const desc of repository.referrers(digest, { artifactType, signal })) found.push(desc)
      if (global.json) out.json(found)
      else if (global.quiet) for (const desc of found) out.line(desc.digest)
      else out.table(['ARTIFACT TYPE', 'DIGEST', 'SIZE', 'MEDIA TYPE'], found.map(row))
    })
  })
}

const row = ({ artifactType, digest, size, mediaType }: Descriptor): readonly string[] => [
  artifactType ?? '-',
  digest,
  formatBytes(size),
  mediaType,
]
