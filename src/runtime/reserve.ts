import fs from 'node:fs/promises'
import path from 'node:path'

/** Bytes that are held back at most, an eighth of a small disk: what LevelDB may need to open, and some changes. */
export const reserveSize = 4 * 1024 * 1024

/** Bytes below which a reserve would be of no use. */
const smallestReserve = 64 * 1024

/**
 * Holds back a piece of the disk. When a download has taken all the rest, the records could not even be opened to delete
 * something; `giveReserve` then makes room for that. Best effort: a disk that is full already has nothing to hold back.
 */
export async function takeReserve(file: string): Promise<void> {
  try {
    const held = (await sizeOf(file)) ?? 0
    if (held >= reserveSize) return
    const { bavail, bsize } = await fs.statfs(path.dirname(file))
    // Most of what there is is for the work.
    const wanted = Math.min(reserveSize, Math.floor((bavail * bsize) / 8))
    if (wanted <= held || wanted < smallestReserve) return
    await fs.writeFile(file, Buffer.alloc(wanted), { mode: 0o600 })
  } catch {
    // A piece of a reserve is of no use and in the way.
    await fs.rm(file, { force: true }).catch(() => undefined)
  }
}

/** Gives back what was held. @returns false when nothing was */
export async function giveReserve(file: string): Promise<boolean> {
  if ((await sizeOf(file)) === undefined) return false
  await fs.rm(file, { force: true })
  return true
}

const sizeOf = async (file: string): Promise<number | undefined> => {
  const stats = await fs.stat(file).catch(() => undefined)
  return stats?.size
}
