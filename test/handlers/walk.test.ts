import test from 'ava'
import fc from 'fast-check'
import { OrlopError } from '../../src/errors.ts'
import type { Handler } from '../../src/handlers/types.ts'
import { walk, walkPaths } from '../../src/handlers/walk.ts'
import { image, index, layer } from '../support/image.ts'

type Graph = Readonly<Record<string, readonly string[]>>

const graphHandler =
  (graph: Graph): Handler<string> =>
  async node =>
    graph[node] ?? []

const collect = async <T>(source: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = []
  for await (const item of source) found.push(item)
  return found
}

const diamond: Graph = { root: ['a', 'b'], a: ['shared'], b: ['shared'], shared: ['leaf'] }

const visits = test.macro({
  async exec(t, graph: Graph, roots: readonly string[], expected: string) {
    t.is((await collect(walk(graphHandler(graph), roots))).join(' '), expected)
  },
  title: (title = '') => `walk() ${title}`,
})

test('yields nothing without roots', visits, {}, [], '')
test('yields a root without children', visits, {}, ['a'], 'a')
test(
  'yields parents before children, in order',
  visits,
  { r: ['a', 'b'], a: ['c', 'd'], b: ['e'] },
  ['r'],
  'r a c d b e',
)
test('goes through several roots in order', visits, { a: ['b'], c: ['d'] }, ['a', 'c'], 'a b c d')
test('visits a shared node once a path', visits, diamond, ['root'], 'root a shared leaf b shared leaf')
test('visits a child that is listed twice twice', visits, { r: ['a', 'a'] }, ['r'], 'r a a')

test('walk() visits a node once when `seen` is given, and leaves all keys there', async t => {
  const seen = new Set<string>()
  const found = await collect(walk(graphHandler(diamond), ['root'], { seen }))
  t.deepEqual(found, ['root', 'a', 'shared', 'leaf', 'b'])
  t.deepEqual([...seen].sort(), ['a', 'b', 'leaf', 'root', 'shared'])
})

test('walk() does not visit what `seen` has from the start', async t => {
  const found = await collect(walk(graphHandler(diamond), ['root'], { seen: new Set(['a']) }))
  t.deepEqual(found, ['root', 'b', 'shared', 'leaf'])
})

test('walk() ends on a cycle when `seen` is given', async t => {
  const found = await collect(walk(graphHandler({ a: ['b'], b: ['a'] }), ['a'], { seen: new Set() }))
  t.deepEqual(found, ['a', 'b'])
})

test('walk() tells nodes apart by `key`', async t => {
  const handler: Handler<number> = async node => (node < 10 ? [node + 1, node + 2] : [])
  const found = await collect(walk(handler, [0], { seen: new Set(), key: node => String(node % 5) }))
  t.deepEqual(found, [0, 1, 2, 3, 4])
})

test('walk() needs `key` for nodes that are not descriptors', async t => {
  const handler: Handler<{ name: string }> = async () => []
  await t.throwsAsync(collect(walk(handler, [{ name: 'a' }])), { code: 'INVALID_ARGUMENT', message: /key/ })
})

test('walk() tells descriptors with one digest and two media types apart', async t => {
  const [a, b] = [layer('same', 'x/a').desc, layer('same', 'x/b').desc]
  const found = await collect(walk(async () => [], [a, b, a], { seen: new Set() }))
  t.deepEqual(found, [a, b])
})

test('walk() runs the body before it asks for the children', async t => {
  const log: string[] = []
  const handler: Handler<string> = async node => {
    log.push(`children of ${node}`)
    return diamond[node] ?? []
  }
  for await (const node of walk(handler, ['a'])) log.push(node)
  t.deepEqual(log, ['a', 'children of a', 'shared', 'children of shared', 'leaf', 'children of leaf'])
})

test('walk() reads nothing further after break', async t => {
  const asked: string[] = []
  const handler: Handler<string> = async node => {
    asked.push(node)
    return diamond[node] ?? []
  }
  for await (const node of walk(handler, ['root'])) if (node === 'shared') break
  t.deepEqual(asked, ['root', 'a'])
})

test('walk() does not keep or change the list a handler gives', async t => {
  const list = Object.freeze(['a', 'b'])
  const found = await collect(walk(async node => (node === 'r' ? list : []), ['r']))
  t.deepEqual(found, ['r', 'a', 'b'])
})

const refusesCycle = test.macro({
  async exec(t, graph: Graph) {
    await t.throwsAsync(collect(walk(graphHandler(graph), ['a'])), {
      code: 'INVALID_ARGUMENT',
      message: /contains itself/,
    })
  },
  title: (_, graph) => `walk() refuses the cycle in ${JSON.stringify(graph)}`,
})

test(refusesCycle, { a: ['a'] })
test(refusesCycle, { a: ['b'], b: ['a'] })
test(refusesCycle, { a: ['b'], b: ['c'], c: ['d', 'b'] })
test(refusesCycle, { a: ['x', 'b'], b: ['c'], c: ['a'] })

test('walk() names the path to a cycle', async t => {
  await t.throwsAsync(collect(walk(graphHandler({ a: ['b'], b: ['a'] }), ['a'])), { message: /^a → b → a: / })
})

const chain: Handler<string> = async node => [String(Number(node) + 1)]
const bomb: Handler<string> = async node => {
  const level = Number(node.slice(0, 2))
  return level < 60 ? [`${level + 1} l`, `${level + 1} r`] : []
}

test('walk() refuses a chain without end at depth 64', async t => {
  let count = 0
  const error = await t.throwsAsync(async () => {
    for await (const _ of walk(chain, ['0'])) count++
  })
  t.like(error, { code: 'INVALID_ARGUMENT' })
  t.is(count, 65)
})

test('walk() goes as deep as `maxDepth`', async t => {
  const handler: Handler<string> = async node => (node === '1000' ? [] : [String(Number(node) + 1)])
  t.is((await collect(walk(handler, ['0'], { maxDepth: 1000 }))).length, 1001)
  await t.throwsAsync(collect(walk(handler, ['0'], { maxDepth: 999 })), { code: 'INVALID_ARGUMENT' })
})

test('walk() has no limit of depth when `seen` is given', async t => {
  const handler: Handler<string> = async node => (node === '20000' ? [] : [String(Number(node) + 1)])
  t.is((await collect(walk(handler, ['0'], { seen: new Set() }))).length, 20_001)
})

test('walk() stops at `maxNodes`', async t => {
  const found: string[] = []
  const error = await t.throwsAsync(async () => {
    for await (const node of walk(bomb, ['10'], { maxNodes: 100 })) found.push(node)
  })
  t.like(error, { code: 'RESOURCE_EXHAUSTED' })
  t.is(found.length, 100)
})

test('walk() stops a graph of 2^50 paths by itself', async t => {
  await t.throwsAsync(collect(walk(bomb, ['10'])), { code: 'RESOURCE_EXHAUSTED', message: /100000/ })
})

test('walk() rejects with the reason when the signal fires between nodes', async t => {
  const stop = new AbortController()
  const reason = new Error('enough')
  const found: string[] = []
  const error = await t.throwsAsync(async () => {
    for await (const node of walk(graphHandler(diamond), ['root'], { signal: stop.signal })) {
      found.push(node)
      if (node === 'a') stop.abort(reason)
    }
  })
  t.is(error, reason)
  t.deepEqual(found, ['root', 'a'])
})

test('walk() reads nothing when the signal has fired before', async t => {
  const handler: Handler<string> = async () => t.fail() as never
  await t.throwsAsync(collect(walk(handler, ['a'], { signal: AbortSignal.abort(new Error('gone')) })), {
    message: 'gone',
  })
})

test('walk() gives its signal to the handler', async t => {
  const { signal } = new AbortController()
  const handler: Handler<string> = async (_, options) => {
    t.is(options.signal, signal)
    return []
  }
  await collect(walk(handler, ['a'], { signal }))
})

test('walk() puts the path in front of an error, and keeps its code and cause', async t => {
  const cause = new OrlopError('NOT_FOUND', 'content x: not found')
  const handler: Handler<string> = async node => {
    if (node === 'shared') throw cause
    return diamond[node] ?? []
  }
  const error = await t.throwsAsync(collect(walk(handler, ['root'])))
  t.like(error, { code: 'NOT_FOUND', message: 'root → a → shared: content x: not found', cause })
})

test("walk() leaves a root's own error as it is", async t => {
  const cause = new OrlopError('NOT_FOUND', 'content x: not found')
  const error = await t.throwsAsync(collect(walk(async () => Promise.reject(cause), ['root'])))
  t.is(error, cause)
})

test('walk() passes errors of strangers unchanged', async t => {
  const cause = new TypeError('mine')
  const handler: Handler<string> = async node => {
    if (node === 'a') throw cause
    return diamond[node] ?? []
  }
  t.is(await t.throwsAsync(collect(walk(handler, ['root']))), cause)
})

test('walk() does not wrap an abort whose reason is one of our errors', async t => {
  const stop = new AbortController()
  const reason = new OrlopError('DEADLINE_EXCEEDED', 'too slow')
  const handler: Handler<string> = async (node, { signal }) => {
    if (node === 'a') stop.abort(reason)
    signal?.throwIfAborted()
    return diamond[node] ?? []
  }
  t.is(await t.throwsAsync(collect(walk(handler, ['root'], { signal: stop.signal }))), reason)
})

test('walk() names descriptors by kind, platform and digest', async t => {
  const leaf = image('linux/arm/v7')
  const root = index(leaf)
  const handler: Handler = async desc => {
    if (desc === root.desc) return [leaf.desc]
    throw new OrlopError('NOT_FOUND', 'gone')
  }
  await t.throwsAsync(collect(walk(handler, [root.desc])), {
    message: `index ${root.desc.digest} → linux/arm/v7 manifest ${leaf.desc.digest}: gone`,
  })
})

test('walkPaths() yields the path to each node', async t => {
  const found = await collect(walkPaths(graphHandler(diamond), ['root']))
  t.deepEqual(
    found.map(path => path.join('/')),
    [
      'root',
      'root/a',
      'root/a/shared',
      'root/a/shared/leaf',
      'root/b',
      'root/b/shared',
      'root/b/shared/leaf',
    ],
  )
})

test('walkPaths() yields one path to each node when `seen` is given', async t => {
  const found = await collect(walkPaths(graphHandler(diamond), ['root'], { seen: new Set() }))
  t.deepEqual(
    found.map(path => path.at(-1)),
    ['root', 'a', 'shared', 'leaf', 'b'],
  )
})

test('walk() visits what a recursive walk visits, on any graph without cycles', async t => {
  await fc.assert(
    fc.asyncProperty(randomGraph(), async graph => {
      const recursive = (node: string): string[] => [node, ...(graph[node] ?? []).flatMap(recursive)]
      t.deepEqual(await collect(walk(graphHandler(graph), ['0'])), recursive('0'))
    }),
    { numRuns: 50 },
  )
})

test('walk() with `seen` visits all that is reachable once, on any graph', async t => {
  const anyGraph = fc.array(fc.array(fc.nat(11), { maxLength: 4 }), { minLength: 12, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(anyGraph, async lists => {
      const graph = Object.fromEntries(lists.map((list, at) => [String(at), list.map(String)]))
      const reachable = new Set<string>()
      const visit = (node: string): void => {
        if (reachable.has(node)) return
        reachable.add(node)
        graph[node]?.forEach(visit)
      }
      visit('0')
      t.deepEqual(await collect(walk(graphHandler(graph), ['0'], { seen: new Set() })), [...reachable])
    }),
    { numRuns: 100 },
  )
})

/** Edges go to larger numbers only; few enough that paths stay countable. */
function randomGraph(): fc.Arbitrary<Graph> {
  return fc.array(fc.array(fc.nat(6), { maxLength: 3 }), { minLength: 8, maxLength: 8 }).map(lists =>
    Object.fromEntries(
      lists.map((list, at) => [
        String(at),
        list
          .map(step => at + 1 + step)
          .filter(to => to < 8)
          .map(String),
      ]),
    ),
  )
}
