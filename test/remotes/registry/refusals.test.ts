import test from 'ava'
import { Refusals } from '../../../src/remotes/registry/refusals.ts'

const setting = () => {
  const clock = { now: 0 }
  return { clock, refusals: new Refusals(() => clock.now) }
}

test('Refusals holds back for a minute what was refused, there and nowhere else', t => {
  const { clock, refusals } = setting()
  refusals.refused('a', 'x')
  t.is(refusals.waitMs('a', 'x'), 60_000)
  t.is(refusals.waitMs('a', 'y'), 0)
  t.is(refusals.waitMs('b', 'x'), 0)
  clock.now = 59_999
  t.is(refusals.waitMs('a', 'x'), 1)
  clock.now = 60_000
  t.is(refusals.waitMs('a', 'x'), 0)
})

test('Refusals does not hold for wrong what was taken before, or is taken after all', t => {
  const { refusals } = setting()
  refusals.taken('a', 'x')
  refusals.refused('a', 'x')
  t.is(refusals.waitMs('a', 'x'), 0)
  refusals.refused('a', 'y')
  refusals.taken('a', 'y')
  t.is(refusals.waitMs('a', 'y'), 0)
})

test('Refusals forgets the oldest of very many', t => {
  const { refusals } = setting()
  for (let at = 0; at < 2000; at++) refusals.refused('a', String(at))
  t.is(refusals.waitMs('a', '0'), 0)
  t.is(refusals.waitMs('a', '1999'), 60_000)
})
