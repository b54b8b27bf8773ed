import os from 'node:os'
import process from 'node:process'
import type { Case, Contender, Sample, Target } from './types.ts'

/** The runs of one contender. */
export interface Result {
  readonly name: string
  readonly kind: Contender['kind']
  readonly samples: readonly Sample[]
  /** Of each number by itself. */
  readonly median: Sample
  /** The shortest and the longest wall time, in milliseconds. */
  readonly spreadMs: readonly [number, number]
}

/** How a target came out. */
export interface Verdict extends Target {
  readonly ratio: number
  readonly met: boolean
}

/** A case that was run. */
export interface Outcome {
  readonly name: string
  readonly title: string
  readonly results: readonly Result[]
  readonly verdicts: readonly Verdict[]
}

/** Where the numbers come from. */
export const machine = () => ({
  cpu: os.cpus()[0]?.model ?? 'unknown',
  cores: os.cpus().length,
  memoryBytes: os.totalmem(),
  kernel: `${os.type()} ${os.release()}`,
  node: process.version,
  loadBefore: os.loadavg()[0],
})

/** The median of each number. */
export function resultOf({ name, kind }: Contender, samples: readonly Sample[]): Result {
  const by = (pick: (sample: Sample) => number): number => median(samples.map(pick))
  const walls = samples.map(({ wallMs }) => wallMs)
  return {
    name,
    kind,
    samples,
    median: {
      wallMs: by(({ wallMs }) => wallMs),
      cpuMs: by(({ cpuMs }) => cpuMs),
      peakBytes: by(({ peakBytes }) => peakBytes),
      readBytes: by(({ readBytes }) => readBytes),
      writtenBytes: by(({ writtenBytes }) => writtenBytes),
      count: samples[0]?.count,
      ...(samples[0]?.pauseMs !== undefined && { pauseMs: by(({ pauseMs = 0 }) => pauseMs) }),
    },
    spreadMs: [Math.min(...walls), Math.max(...walls)],
  }
}

const median = (numbers: readonly number[]): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** Each of a case's targets, held against what came out. */
export function verdictsOf({ targets = [] }: Case, results: readonly Result[]): readonly Verdict[] {
  const ours = results.find(({ kind }) => kind === 'ours')
  return targets.flatMap(target => {
    const theirs =
      target.against === 'limits'
        ? slowestLimit(results)
        : results.find(({ name }) => name === target.against)
    if (!ours || !theirs) return []
    const ratio = measures[target.measure](ours.median) / measures[target.measure](theirs.median)
    return [{ ...target, ratio, met: ratio <= target.atMost }]
  })
}

const measures: Readonly<Record<Target['measure'], (sample: Sample) => number>> = {
  wall: ({ wallMs }) => wallMs,
  cpu: ({ cpuMs }) => cpuMs,
  peak: ({ peakBytes }) => peakBytes,
  pause: ({ pauseMs = 0 }) => pauseMs,
}

const slowestLimit = (results: readonly Result[]): Result | undefined =>
  results.filter(({ kind }) => kind === 'limit').toSorted((a, b) => b.median.wallMs - a.median.wallMs)[0]

/** One case as lines of text. */
export function tableOf({ title, results, verdicts }: Outcome): string {
  const ours = results.find(({ kind }) => kind === 'ours')?.median.wallMs
  const rows = results.map(({ name, kind, median, spreadMs }) => [
    name,
    kind,
    ms(median.wallMs),
    `${ms(spreadMs[0])}–${ms(spreadMs[1])}`,
    ms(median.cpuMs),
    mib(median.peakBytes),
    mib(median.readBytes),
    mib(median.writtenBytes),
    median.count === undefined ? '' : Math.round((median.count * 1000) / median.wallMs).toLocaleString('en'),
    median.pauseMs === undefined ? '' : ms(median.pauseMs),
    ours === undefined || kind === 'ours' || median.wallMs === 0
      ? ''
      : `${(ours / median.wallMs).toFixed(2)}×`,
  ])
  const head = [
    '',
    'kind',
    'wall ms',
    'spread',
    'cpu ms',
    'peak MiB',
    'read MiB',
    'written MiB',
    'per second',
    'pause ms',
    'ours/this',
  ]
  const widths = head.map((cell, at) => Math.max(cell.length, ...rows.map(row => row[at]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    row.map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ')
  const held = verdicts.map(
    ({ against, measure, atMost, ratio, met }) =>
      `  ${met ? 'met   ' : 'MISSED'} ${measure} ${ratio.toFixed(2)} × ${against}, wanted ≤ ${atMost}`,
  )
  return [title, line(head), ...rows.map(line), ...held, ''].join('\n')
}

const ms = (value: number): string => (value < 10 ? value.toFixed(2) : Math.round(value).toLocaleString('en'))
const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0)
