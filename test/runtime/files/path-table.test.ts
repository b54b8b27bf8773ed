import test from 'ava'
import fc from 'fast-check'
import { PathTable } from '../../../src/runtime/files/path-table.ts'

/** Names that sort on both sides of `/`, wide ones, and bytes that were no UTF-8. */
const name = fc.oneof(
  fc.constantFrom('a', 'a.b', 'a-', 'a0', 'b', 'ä', '漢', '\udc80', '\u00ff', 'constructor', '__proto__'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }).filter(text => !text.includes('/')),
)
const path = fc.array(name, { maxLength: 4 }).map(names => `/${names.join('/')}`)

test('PathTable numbers paths, knows them again and gives them back, in order too', t => {
  fc.assert(
    fc.property(fc.array(path, { maxLength: 60 }), paths => {
      const table = new PathTable()
      const numbers = new Map(paths.map(one => [one, table.add(one)]))
      for (const [one, number] of numbers) {
        if (table.add(one) !== number || table.find(one) !== number || table.at(number) !== one) return false
        const parent = one.slice(0, one.lastIndexOf('/')) || '/'
        if (table.parentOf(number) !== (one === '/' ? -1 : table.find(parent))) return false
      }
      const wanted = new Set(numbers.values())
      const sorted = [...table.sorted(number => wanted.has(number))].map(number => table.at(number))
      return JSON.stringify(sorted) === JSON.stringify([...numbers.keys()].sort())
    }),
    { numRuns: 500 },
  )
  t.pass()
})

test('PathTable grows, and does not find what was not added', t => {
  const table = new PathTable()
  const paths = Array.from({ length: 20_000 }, (_, at) => `/d${at % 100}/e${at % 7}/file-${at}`)
  for (const one of paths) table.add(one)
  t.is(table.size, 1 + 100 + 700 + paths.length)
  t.true(paths.every(one => table.at(table.find(one)) === one))
  t.is(table.find('/d1/e1/file-0'), -1)
  t.is(table.find('/nowhere/at/all'), -1)
  t.is(table.find('/d1/e1/file-1/x'), -1)
})

test('PathTable takes a path that is very deep', t => {
  const table = new PathTable()
  const deep = '/x'.repeat(3000)
  const number = table.add(deep)
  t.is(table.at(number), deep)
  t.deepEqual([...table.sorted(at => at === number)], [number])
})
