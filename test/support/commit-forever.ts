import { openLevel } from '../../src/metadata/level-kv.ts'

/** A program that commits records one after the other and says each number when it is durable; made to be killed. */
const [, , directory = ''] = process.argv
const kv = await openLevel(directory)
for (let at = 0; ; at++) {
  await kv.commit([
    { type: 'put', key: `first/${at}`, value: at },
    { type: 'put', key: `second/${at}`, value: at },
  ])
  process.stdout.write(`${at}\n`)
}
