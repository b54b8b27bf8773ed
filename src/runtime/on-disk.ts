import type { FileProvider } from '../content/fs-share.ts'
import { ifFound } from '../content/if-found.ts'
import type { ContentStore, InfoProvider, Provider } from '../content/types.ts'

/** Where the bytes are, and their files. */
export type Disk = InfoProvider & Pick<FileProvider, 'file'>

/** What `content` has a record of and `backend` has the bytes of. */
export const onDisk = (content: ContentStore, backend: Disk): Provider & Disk => ({
  read: (target, options) => content.read(target, options),
  info: async (digest, options) => {
    const info = await content.info(digest, options)
    const { size } = await backend.info(digest, options)
    return { ...info, size }
  },
  file: async (target, options) => {
    const known = await ifFound(content.info(target.digest, options))
    return known && backend.file(target, options)
  },
})
