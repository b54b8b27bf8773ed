import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { isInstalled, type Program } from '../test/support/installed.ts'
import { chartOf } from './lib/chart.ts'
import { machine, type Outcome, resultOf, tableOf, verdictsOf } from './lib/report.ts'
import type { Bench, Case, CaseMaker, Sample } from './lib/types.ts'

/** Each loads its case when it is named, so that one case needs nothing of the others. */
const cases: Readonly<Record<string, () => Promise<{ readonly make: CaseMaker }>>> = {
  start: () => import('./cases/start.ts'),
  pull: () => import('./cases/pull.ts'),
  ingest: () => import('./cases/ingest.ts'),
  archive: () => import('./cases/archive.ts'),
  check: () => import('./cases/check.ts'),
  records: () => import('./cases/records.ts'),
  socket: () => import('./cases/socket.ts'),
  collect: () => import('./cases/collect.ts'),
  growth: () => import('./cases/growth.ts'),
  files: () => import('./cases/files.ts'),
}

const usage = `Measures orlop beside its peers: npm run bench -- [case…] [options]

Cases: ${Object.keys(cases).join(' ')}; default: all.

  --runs <n>         runs of each contender, interleaved; default 5, after one that is not counted
  --scale <factor>   size of the data; default 1, which is an image of about 500 MB
  --directory <dir>  scratch space; default: the system's directory for temporary files
  --json <file>      all samples
  --svg <file>       a chart
`

/** Runs the cases that were named, and prints what came out. */
async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: '5' },
      scale: { type: 'string', default: '1' },
      directory: { type: 'string', default: os.tmpdir() },
      json: { type: 'string' },
      svg: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return
  }
  const names = positionals.length > 0 ? positionals : Object.keys(cases)
  for (const name of names)
    if (!cases[name]) throw new Error(`no case ${name}; there are ${Object.keys(cases).join(', ')}`)
  needPeers()
  const where = machine()
  process.stderr.write(
    `${where.cpu}, ${where.cores} cores, Node ${where.node}, load ${where.loadBefore?.toFixed(2)}\n`,
  )
  const settings = { runs: Number(values.runs), scale: Number(values.scale), parent: values.directory }
  const outcomes: Outcome[] = []
  for (const name of names) outcomes.push(...(await runCase(name, settings)))
  const result = { date: new Date().toISOString(), machine: where, settings, outcomes }
  if (values.json !== undefined) await fs.writeFile(values.json, `${JSON.stringify(result, null, 1)}\n`)
  const heading = `${where.cpu}, ${where.cores} cores, Node ${where.node}: median wall time, ${values.runs} runs`
  if (values.svg !== undefined) await fs.writeFile(values.svg, chartOf(outcomes, heading))
  const missed = outcomes.flatMap(({ verdicts }) => verdicts).filter(({ met }) => !met).length
  process.stdout.write(missed === 0 ? 'All targets met.\n' : `${missed} targets missed.\n`)
}

function needPeers(): void {
  const needed: readonly Program[] = ['docker-registry', 'skopeo', 'umoci', 'ctr', 'containerd']
  const missing = [...needed.filter(program => !isInstalled(program))]
  if (missing.length > 0)
    throw new Error(`not installed: ${missing.join(', ')} (Debian's packages; also time, curl)`)
}

async function runCase(
  name: string,
  { runs, scale, parent }: { readonly runs: number; readonly scale: number; readonly parent: string },
): Promise<readonly Outcome[]> {
  const directory = await fs.mkdtemp(path.join(parent, 'orlop-bench-'))
  const works: (() => void | Promise<void>)[] = [() => fs.rm(directory, { recursive: true, force: true })]
  const bench: Bench = {
    directory,
    runs,
    scale,
    imageBytes: 500e6 * scale,
    note: text => process.stderr.write(`${name}: ${text}\n`),
    teardown: work => works.push(work),
  }
  try {
    const made = await (await cases[name]?.())?.make(bench)
    const outcomes: Outcome[] = []
    for (const one of made ?? []) {
      const outcome = await contest(one, bench)
      outcomes.push(outcome)
      process.stdout.write(`${tableOf(outcome)}\n`)
    }
    return outcomes
  } finally {
    for (const work of works.toReversed()) await work()
  }
}

/** Interleaved, so that whatever else the machine does falls on all alike; the first round warms up and is not counted. */
async function contest(one: Case, { runs, note }: Bench): Promise<Outcome> {
  const samples = one.contenders.map((): Sample[] => [])
  for (let round = 0; round <= runs; round++) {
    note(`${one.title}: ${round === 0 ? 'warm-up' : `run ${round} of ${runs}`}`)
    for (const [at, { prepare, run }] of one.contenders.entries()) {
      await prepare?.()
      const sample = await run()
      if (round > 0) samples[at]?.push(sample)
    }
  }
  const results = one.contenders.map((contender, at) => resultOf(contender, samples[at] ?? []))
  return { name: one.name, title: one.title, results, verdicts: verdictsOf(one, results) }
}

await main()
