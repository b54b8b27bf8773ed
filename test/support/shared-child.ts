import { once } from 'node:events'
import process from 'node:process'
import { openShared } from '../../src/service/shared/open.ts'

/** Opens the root that is named, says whether as its owner, and stays until it is told to end. */
async function main(): Promise<void> {
  await using store = await openShared({ root: process.argv[2] ?? '' })
  const stay = setInterval(() => undefined, 1 << 30)
  console.log(store.isOwner ? 'owner' : 'guest')
  await once(process, 'SIGTERM')
  clearInterval(stay)
}

await main()
