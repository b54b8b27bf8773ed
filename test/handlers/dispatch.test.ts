import test from 'ava'
import fc from 'fast-check'
import { OrlopError } from '../../src/errors.ts'
import { type DispatchOptions, dispatch } from '../../src/handlers/dispatch.ts'
import type { Handler } from '../../src/handlers/types.ts'
import { image, index } from '../support/image.ts'

type Graph = Readonly<Record<string, readonly string[]>>

const graphHandler =
  (graph: Graph): Handler<string> =>
  async node =>
    graph[node] ?? []

const diamond: Graph = { root: ['a', 'b'], a: ['shared'], b: ['shared'], shared: ['leaf'] }

const visitsOf = async (graph: Graph, roots: readonly string[], options: DispatchOptions<string> = {}) => {
  const found: string[] = []
  await dispatch(graphHandler(graph), async node => void found.push(node), roots, options)
  return found
}

const visits = test.macro({
  async exec(t, graph: Graph, roots: readonly string[], options: DispatchOptions<string>, expected: string) {
    t.is((await visitsOf(graph, roots, options)).join(' '), expected)
  },
  title: (title = '') => `dispatch() ${title}`,
})

const one = { concurrency: 1 }
const post = { ...one, order: 'post' } as const

test('visits nothing without roots', visits, {}, [], one, '')
test('visits a root', visits, {}, ['a'], one, 'a')
test('visits a root given twice once', visits, {}, ['a', 'a'], one, 'a')
test(
  'visits parents first by default, and a shared node once',
  visits,
  diamond,
  ['root'],
  one,
  'root a b shared leaf',
)
test('visits children first in order post', visits, diamond, ['root'], post, 'leaf shared a b root')
test('visits a child that is listed twice once', visits, { r: ['a', 'a'] }, ['r'], post, 'a r')
test('needs one slot only for any depth', visits, { a: ['b'], b: ['c'], c: ['d'] }, ['a'], post, 'd c b a')

test('dispatch() asks the handler once for a shared node', async t => {
  const asked: string[] = []
  const handler: Handler<string> = async node => {
    asked.push(node)
    return diamond[node] ?? []
  }
  await dispatch(handler, async () => {}, ['root', 'a'])
  t.deepEqual(asked.toSorted(), ['a', 'b', 'leaf', 'root', 'shared'])
})

test('dispatch() ends on a graph of 2^60 paths', async t => {
  const graph = Object.fromEntries(
    Array.from({ length: 60 }, (_, at) => [`l${at}`, [`l${at + 1}`, `r${at + 1}`]]).concat(
      Array.from({ length: 60 }, (_, at) => [`r${at}`, [`l${at + 1}`, `r${at + 1}`]]),
    ),
  )
  t.is((await visitsOf(graph, ['l0'])).length, 121)
})

const keepsLimit = test.macro({
  async exec(t, concurrency: number) {
    const graph = { root: Array.from({ length: 20 }, (_, at) => `n${at}`) }
    let running = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, ++running)
      await new Promise(setImmediate)
      running--
    }
    const handler: Handler<string> = async node => {
      await work()
      return graph[node as 'root'] ?? []
    }
    await dispatch(handler, work, ['root'], { concurrency })
    t.is(most, Math.min(concurrency, 20))
  },
  title: (_, concurrency) => `dispatch() runs ${concurrency} at a time, handlers and visits together`,
})

test(keepsLimit, 1)
test(keepsLimit, 2)
test(keepsLimit, 7)

test('dispatch() visits siblings in parallel', async t => {
  const both = new Map<string, () => void>()
  const visit = (node: string): Promise<void> =>
    new Promise(resolve => {
      both.set(node, resolve)
      // Neither ends before the other has begun.
      if (both.size === 2) for (const end of both.values()) end()
    })
  await dispatch(graphHandler({}), visit, ['a', 'b'], { concurrency: 2 })
  t.is(both.size, 2)
})

const refusesCycle = test.macro({
  async exec(t, graph: Graph, order: 'pre' | 'post') {
    for (const concurrency of [1, 3]) {
      await t.throwsAsync(visitsOf(graph, ['a'], { order, concurrency }), {
        code: 'INVALID_ARGUMENT',
        message: /contains itself/,
      })
    }
  },
  title: (_, graph, order) => `dispatch() refuses the cycle in ${JSON.stringify(graph)}, order ${order}`,
})

for (const order of ['pre', 'post'] as const) {
  test(refusesCycle, { a: ['a'] }, order)
  test(refusesCycle, { a: ['b'], b: ['a'] }, order)
  test(refusesCycle, { a: ['b'], b: ['c'], c: ['d', 'b'] }, order)
  // No path of first discovery closes this one: b waits for d, d for c, and c for b.
  test(refusesCycle, { a: ['b', 'c'], b: ['d'], d: ['c'], c: ['b'] }, order)
  test(refusesCycle, { a: ['b', 'c', 'd'], b: ['c'], c: ['d'], d: ['b'] }, order)
}

test('dispatch() refuses a chain without end at depth 64', async t => {
  let count = 0
  const chain: Handler<string> = async node => [String(Number(node) + 1)]
  await t.throwsAsync(
    dispatch(chain, async () => void count++, ['0']),
    { code: 'INVALID_ARGUMENT', message: /64 levels/ },
  )
  t.is(count, 65)
})

test('dispatch() goes as deep as `maxDepth`', async t => {
  const handler: Handler<string> = async node => (node === '5000' ? [] : [String(Number(node) + 1)])
  await t.notThrowsAsync(dispatch(handler, async () => {}, ['0'], { maxDepth: 5000, order: 'post' }))
})

test('dispatch() stops at `maxNodes` different nodes', async t => {
  const graph = { root: Array.from({ length: 9 }, (_, at) => `n${at}`) }
  await t.notThrowsAsync(visitsOf(graph, ['root'], { maxNodes: 10 }))
  await t.throwsAsync(visitsOf(graph, ['root'], { maxNodes: 9 }), { code: 'RESOURCE_EXHAUSTED' })
})

test('dispatch() needs `key` for nodes that are not descriptors', async t => {
  await t.throwsAsync(
    dispatch<object>(async () => [], async () => {}, [{}]),
    { code: 'INVALID_ARGUMENT' },
  )
  await t.notThrowsAsync(
    dispatch<object>(
      async () => [],
      async () => {},
      [{}],
      { key: () => 'x' },
    ),
  )
})

test('dispatch() rejects with the first failure of a visit and skips what has not begun', async t => {
  const found: string[] = []
  const visit = async (node: string) => {
    found.push(node)
    if (node === 'b') throw new TypeError('no')
  }
  const graph = { root: ['a', 'b', 'c', 'd'], d: ['e'] }
  await t.throwsAsync(dispatch(graphHandler(graph), visit, ['root'], one), {
    instanceOf: TypeError,
    message: 'no',
  })
  t.deepEqual(found, ['root', 'a', 'b'])
})

test('dispatch() rejects with the failure of a handler', async t => {
  const handler: Handler<string> = async node => {
    if (node === 'shared') throw new TypeError('no')
    return diamond[node] ?? []
  }
  await t.throwsAsync(
    dispatch(handler, async () => {}, ['root']),
    { instanceOf: TypeError },
  )
})

test('dispatch() aborts siblings, waits for them, and rejects with the cause and not with their AbortError', async t => {
  let ended = false
  const cause = new TypeError('first')
  let fail = (): void => {}
  const visit = async (node: string, { signal }: { readonly signal?: AbortSignal | undefined }) => {
    if (node === 'bad') {
      await new Promise<void>(resolve => {
        fail = resolve
      })
      throw cause
    }
    await new Promise<void>((_, reject) => {
      signal?.addEventListener('abort', () => {
        setImmediate(() => {
          ended = true
          reject(new DOMException('aborted', 'AbortError'))
        })
      })
      fail()
    })
  }
  const error = await t.throwsAsync(dispatch(graphHandler({}), visit, ['bad', 'slow']))
  t.is(error, cause)
  t.true(ended)
})

test('dispatch() does not visit a parent in order post when a child failed', async t => {
  const found: string[] = []
  const visit = async (node: string) => {
    if (node === 'leaf') throw new TypeError('no')
    found.push(node)
  }
  await t.throwsAsync(dispatch(graphHandler(diamond), visit, ['root'], { order: 'post' }))
  t.deepEqual(found, [])
})

test('dispatch() puts the path in front of an error, and keeps its code and cause', async t => {
  const cause = new OrlopError('UNAVAILABLE', 'the registry is down')
  const visit = async (node: string) => {
    if (node === 'leaf') throw cause
  }
  const error = await t.throwsAsync(dispatch(graphHandler(diamond), visit, ['root'], one))
  t.like(error, { code: 'UNAVAILABLE', message: 'root → a → shared → leaf: the registry is down', cause })
})

test('dispatch() names descriptors by kind, platform and digest', async t => {
  const leaf = image('linux/riscv64')
  const root = index(leaf)
  const handler: Handler = async desc => (desc === root.desc ? [leaf.desc] : [])
  const visit = async (desc: { readonly digest: string }) => {
    if (desc.digest === leaf.desc.digest) throw new OrlopError('NOT_FOUND', 'gone')
  }
  await t.throwsAsync(dispatch(handler, visit, [root.desc]), {
    message: `index ${root.desc.digest} → linux/riscv64 manifest ${leaf.desc.digest}: gone`,
  })
})

test('dispatch() rejects with the reason when the signal fires, after running work has ended', async t => {
  const stop = new AbortController()
  const reason = new OrlopError('CANCELED', 'enough')
  let running = 0
  const visit = async (node: string) => {
    running++
    if (node === 'a') stop.abort(reason)
    await new Promise(setImmediate)
    running--
  }
  const error = await t.throwsAsync(dispatch(graphHandler(diamond), visit, ['root'], { signal: stop.signal }))
  t.is(error, reason)
  t.is(running, 0)
})

test('dispatch() does nothing when the signal has fired before', async t => {
  const found: string[] = []
  const signal = AbortSignal.abort(new Error('gone'))
  await t.throwsAsync(
    dispatch(graphHandler({}), async node => void found.push(node), ['a'], { signal }),
    { message: 'gone' },
  )
  t.deepEqual(found, [])
})

test('dispatch() leaves no listener on the signal', async t => {
  const stop = new AbortController()
  let listeners = 0
  const { signal } = stop
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--
    remove(...args)
  }
  await dispatch(graphHandler(diamond), async () => {}, ['root'], { signal })
  await t.throwsAsync(
    dispatch(graphHandler(diamond), async () => Promise.reject(new Error('x')), ['root'], { signal }),
  )
  t.is(listeners, 0)
})

const randomGraph = fc.array(fc.array(fc.nat(14), { maxLength: 4 }), { minLength: 15, maxLength: 15 }).map(
  (lists): Graph =>
    Object.fromEntries(
      lists.map((list, at) => [
        String(at),
        list
          .map(step => at + 1 + step)
          .filter(to => to < 15)
          .map(String),
      ]),
    ),
)

const reachable = (graph: Graph, root: string, found = new Set<string>()): ReadonlySet<string> => {
  if (found.has(root)) return found
  found.add(root)
  for (const child of graph[root] ?? []) reachable(graph, child, found)
  return found
}

/** Lets a random number of turns pass, so that calls end in any order. */
const turns = async (count: number): Promise<void> => {
  for (let at = 0; at < count; at++) await null
}

for (const order of ['pre', 'post'] as const) {
  test(`dispatch() visits each node of any graph once and in order ${order}, at any concurrency`, async t => {
    await fc.assert(
      fc.asyncProperty(
        randomGraph,
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.nat(9), { minLength: 15, maxLength: 15 }),
        async (graph, concurrency, delays) => {
          const found: string[] = []
          const handler: Handler<string> = async node => {
            await turns(delays.at(-Number(node) - 1) ?? 0)
            return graph[node] ?? []
          }
          const visit = async (node: string) => {
            await turns(delays[Number(node)] ?? 0)
            found.push(node)
          }
          await dispatch(handler, visit, ['0'], { order, concurrency })
          t.deepEqual(found.toSorted(), [...reachable(graph, '0')].sort())
          for (const [at, node] of found.entries()) {
            const children = graph[node] ?? []
            if (order === 'post') t.true(children.every(child => found.indexOf(child) < at))
            else t.true(at === 0 || found.slice(0, at).some(parent => graph[parent]?.includes(node)))
          }
        },
      ),
      { numRuns: 60 },
    )
  })
}

test('dispatch() ends on any graph: all visited, or a cycle refused', async t => {
  const anyGraph = fc.array(fc.array(fc.nat(9), { maxLength: 3 }), { minLength: 10, maxLength: 10 })
  await fc.assert(
    fc.asyncProperty(anyGraph, fc.integer({ min: 1, max: 4 }), async (lists, concurrency) => {
      const graph = Object.fromEntries(lists.map((list, at) => [String(at), list.map(String)]))
      const nodes = reachable(graph, '0')
      const cyclic = [...nodes].some(node =>
        (graph[node] ?? []).some(child => reachable(graph, child).has(node)),
      )
      const run = visitsOf(graph, ['0'], { order: 'post', concurrency })
      if (cyclic) await t.throwsAsync(run, { code: 'INVALID_ARGUMENT' })
      else t.is((await run).length, nodes.size)
    }),
    { numRuns: 100 },
  )
})
