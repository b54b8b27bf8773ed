import type { Outcome, Result } from './report.ts'

const colours: Readonly<Record<Result['kind'], string>> = {
  ours: '#1f6f8b',
  peer: '#99a8b2',
  limit: '#d9dee1',
}
const width = 760
const labels = 220
const bar = 18
const gap = 6

/** Bars of the median wall times, case by case, each case in its own scale. */
export function chartOf(outcomes: readonly Outcome[], heading: string): string {
  const parts: string[] = []
  let y = 40
  for (const { title, results: all } of outcomes) {
    // Bounds on memory alone have no time.
    const results = all.filter(({ median }) => median.wallMs > 0)
    parts.push(text(12, y, title, 'font-weight="bold"'))
    y += 10
    const longest = Math.max(...results.map(({ median }) => median.wallMs))
    for (const { name, kind, median, spreadMs } of results) {
      const scale = (value: number): number => Math.max(1, (value / longest) * (width - labels - 110))
      parts.push(
        text(labels - 8, y + 13, name, 'text-anchor="end"'),
        `<rect x="${labels}" y="${y}" width="${scale(median.wallMs).toFixed(1)}" height="${bar}" fill="${colours[kind]}"/>`,
        `<line x1="${labels + scale(spreadMs[0])}" x2="${labels + Math.min(scale(spreadMs[1]), width - labels)}" y1="${y + bar / 2}" y2="${y + bar / 2}" stroke="#333"/>`,
        text(
          labels + scale(Math.max(median.wallMs, Math.min(spreadMs[1], longest))) + 8,
          y + 13,
          duration(median.wallMs),
        ),
      )
      y += bar + gap
    }
    y += 22
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" font-family="sans-serif" font-size="12">
<title>${escaped(heading)}</title>
<rect width="100%" height="100%" fill="white"/>
${text(12, 20, heading, 'fill="#555"')}
${parts.join('\n')}
</svg>
`
}

const text = (x: number, y: number, content: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y}" ${more}>${escaped(content)}</text>`

const escaped = (content: string): string => content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

const duration = (ms: number): string =>
  ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toFixed(ms < 10 ? 2 : 0)} ms`
