import test from 'ava'
import fc from 'fast-check'
import { freedAlone } from '../../src/runtime/dominators.ts'
import { type Graph, keptAfter, minus, noBytes, plus, Reach } from '../../src/runtime/reach-graph.ts'

const bytes = (size: number) => ({ bytes: size, allocated: size * 2 })

/** A graph as text: `0r>1,2` is vertex 0, a root that keeps 1 and 2; `3=7` is a file of 7 bytes. */
const graphOf = (...texts: readonly string[]): Graph =>
  texts.map(text => {
    const [, root, below, size] = /^\d+(r?)(?:>([\d,]*))?(?:=(\d+))?$/.exec(text) ?? []
    return {
      root: root === 'r',
      below: below ? below.split(',').map(Number) : [],
      ...(size !== undefined && { file: bytes(Number(size)) }),
    }
  })

/** Any graph: circles, vertices that refer to themselves, several roots, files that nothing keeps. */
const graphs: fc.Arbitrary<Graph> = fc
  .integer({ min: 1, max: 14 })
  .chain(count =>
    fc.array(
      fc.record({
        root: fc.boolean(),
        below: fc.array(fc.nat(count - 1), { maxLength: 4 }),
        size: fc.option(fc.nat(100), { nil: undefined }),
      }),
      { minLength: count, maxLength: count },
    ),
  )
  .map(vertices =>
    vertices.map(({ size, ...rest }) => ({ ...rest, ...(size !== undefined && { file: bytes(size) }) })),
  )

/** Slow and plain: what is reached from the roots without some vertices. */
const keptWithout = (graph: Graph, removed: readonly number[]) => {
  const seen = new Set<number>()
  const visit = (at: number): void => {
    if (seen.has(at) || removed.includes(at)) return
    seen.add(at)
    for (const below of graph[at]?.below ?? []) visit(below)
  }
  for (const [at, { root }] of graph.entries()) if (root) visit(at)
  return [...seen].reduce((sum, at) => plus(sum, graph[at]?.file ?? noBytes), noBytes)
}

test('Reach counts each file once, and none that nothing reaches', t => {
  const graph = graphOf('0r>2,3', '1r>3', '2=5', '3=7', '4=11')
  const reach = new Reach(graph).fromRoots()
  t.deepEqual(reach.kept, bytes(12))
  t.deepEqual(
    [0, 1, 2, 3, 4].map(at => reach.has(at)),
    [true, true, true, true, false],
  )
})

test('Reach ends in a circle', t => {
  t.deepEqual(new Reach(graphOf('0r>1', '1>2', '2>0,2,3', '3=1')).fromRoots().kept, bytes(1))
})

test('Reach puts back what was met while it was removed, and roots, but nothing else', t => {
  const graph = graphOf('0r>1', '1>2', '2=5', '3>4', '4=9', '5r>6', '6=1')
  const reach = new Reach(graph, [1, 3, 5]).fromRoots()
  t.deepEqual(reach.kept, noBytes)
  t.deepEqual(reach.restore(3).kept, noBytes)
  t.deepEqual(reach.restore(1).kept, bytes(5))
  t.deepEqual(reach.restore(5).restore(5).kept, bytes(6))
})

test('keptAfter() says for each prefix of the removals what stays', t => {
  const graph = graphOf('0r>3,4', '1r>4,5', '2r>5', '3=1', '4=10', '5=100')
  t.deepEqual(
    keptAfter(graph, [[0], [1], [2]]).map(kept => kept.bytes),
    [111, 110, 100, 0],
  )
  t.deepEqual(
    keptAfter(graph, [[0], [1]], [2]).map(kept => kept.bytes),
    [111, 110, 0],
  )
  t.deepEqual(
    keptAfter(graph, [[0, 1]]).map(kept => kept.bytes),
    [111, 100],
  )
})

test('keptAfter() agrees with removing one after the other', t => {
  fc.assert(
    fc.property(graphs, fc.array(fc.nat(13)), (graph, chosen) => {
      const removals = [...new Set(chosen)].filter(at => at < graph.length)
      t.deepEqual(
        keptAfter(
          graph,
          removals.map(at => [at]),
        ),
        [...removals, -1].map((_, count) => keptWithout(graph, removals.slice(0, count))),
      )
    }),
    { numRuns: 500 },
  )
})

test('freedAlone() agrees with removing each vertex', t => {
  fc.assert(
    fc.property(graphs, graph => {
      const all = keptWithout(graph, [])
      t.deepEqual(
        freedAlone(graph),
        graph.map((_, at) => minus(all, keptWithout(graph, [at]))),
      )
    }),
    { numRuns: 1000 },
  )
})

test('freedAlone() of an image does not count what another keeps', t => {
  const graph = graphOf('0r>2', '1r>2,3', '2=5', '3=7')
  t.deepEqual(
    freedAlone(graph).map(freed => freed.bytes),
    [0, 7, 5, 7],
  )
})

test('freedAlone() of a long chain needs no deep stack', t => {
  const count = 100_000
  const graph: Graph = Array.from({ length: count }, (_, at) => ({
    root: at === 0,
    below: at + 1 < count ? [at + 1] : [],
    file: bytes(1),
  }))
  const freed = freedAlone(graph)
  t.is(freed[0]?.bytes, count)
  t.is(freed[count - 1]?.bytes, 1)
})
