import { verified } from '../../content/verify.ts'
import { parseDigest } from '../../oci/digest.ts'
import { parseReference, repositoryName } from '../../oci/reference.ts'
import type { Register } from '../register.ts'
import { addRegistryOptions, type RegistryOptions } from '../registry-options.ts'
import { withResolver } from '../remote.ts'

interface FetchBlobOptions extends RegistryOptions {
  readonly mediaType?: string
}

/** `orlop content fetch-blob` */
export const registerFetchBlob: Register = (noun, context) => {
  const { out, signal } = context
  const command = noun
    .command('fetch-blob <repository> <digest...>')
    .description('write blobs or manifests of a repository to stdout, by digest; nothing is stored')
    .option('--media-type <type>', 'what they are; a manifest is asked for as such. Found out when missing')
  addRegistryOptions(command).action(
    async (text: string, texts: readonly string[], { mediaType, ...options }: FetchBlobOptions) => {
      const name = repositoryName(parseReference(text))
      const digests = texts.map(parseDigest)
      await withResolver(name, options, context, async resolver => {
        const repository = await resolver.repository(name, { signal })
        for (const digest of digests) {
          const found = await repository.resolve(digest, { signal })
          const target = { ...found, mediaType: mediaType ?? found.mediaType }
          for await (const chunk of verified(repository.read(target, { signal }), target))
            await out.bytes(chunk)
        }
      })
    },
  )
}
