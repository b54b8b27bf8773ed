import test from 'ava'
import { crashCampaign } from '../support/crash-campaign.ts'

test('a store survives 50 kills at random moments of pulls, commits, deletes and collections', async t => {
  t.timeout(600_000)
  const seed = Number(process.env.ORLOP_CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31))
  t.log(`seed ${seed}; ORLOP_CRASH_SEED=${seed} chooses the same moments`)
  let words = 0
  const faults = await crashCampaign(t, {
    count: 50,
    seed,
    onTurn: report => {
      words += report.words
    },
  })
  t.deepEqual(faults, [])
  t.true(words > 100, `only ${words} acknowledgements`)
})
