import process from 'node:process'
import { crashCampaign } from '../test/support/crash-campaign.ts'

/**
 * `node dist/bench/crash.js [count] [seed]`: kills a program that pulls, commits, deletes and collects, 500 times unless told
 * otherwise, and checks the store after each. Exits with 1 when anything was wrong; the seed tells which moments were chosen.
 */
const count = Number(process.argv[2] ?? 500)
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 31))
const cleanUps: Array<() => void | Promise<void>> = []
const start = performance.now()
console.log(`${count} kills, seed ${seed}`)
const sums: Record<string, number> = {}
let words = 0
try {
  const faults = await crashCampaign(
    { teardown: work => void cleanUps.push(work) },
    {
      count,
      seed,
      onTurn: report => {
        words += report.words
        for (const [kind, number] of Object.entries(report.left)) sums[kind] = (sums[kind] ?? 0) + number
        for (const fault of report.faults) console.log(`turn ${report.turn}: ${fault}`)
        if (report.turn % 25 === 0) console.log(`${report.turn} kills`)
      },
    },
  )
  const seconds = Math.round((performance.now() - start) / 1000)
  const left = Object.entries(sums).map(([kind, number]) => `${number} ${kind}`)
  console.log(
    `${count} kills in ${seconds} s, ${words} acknowledgements and intents, ${faults.length} faults`,
  )
  console.log(`what the crashes left, and a collection removed: ${left.join(', ') || 'nothing'}`)
  if (faults.length > 0) process.exitCode = 1
} finally {
  for (const work of cleanUps.toReversed()) await work()
}
