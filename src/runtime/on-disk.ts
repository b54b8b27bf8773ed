import type { ContentStore, InfoProvider, Provider } from '../content/types.ts'

/** What `content` has a record of and `backend` has the bytes of. */
export const onDisk = (content: ContentStore, backend: InfoProvider): Provider & InfoProvider => ({
  read: (target, options) => content.read(target, options),
  info: async (digest, options) => {
    const info = await content.info(digest, options)
    const { size } = await backend.info(digest, options)
    return { ...info, size }
  },
})
