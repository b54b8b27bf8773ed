import fs from 'node:fs/promises'
import path from 'node:path'
import { type Teardown, temporaryDirectory } from './tmp.ts'

/** What measures the memory of a process of Node. */
export interface PeakMemory {
  /** For the environment of the process. */
  readonly env: Readonly<Record<string, string>>
  /** The most bytes that it ever held; once it has ended. */
  bytes(): Promise<number>
}

/** Measures one process of Node. */
export async function peakMemory(t: Teardown): Promise<PeakMemory> {
  const file = path.join(await temporaryDirectory(t), 'peak')
  return {
    env: { NODE_OPTIONS: `--import=${writePeak}`, PEAK_FILE: file },
    bytes: async () => Number(await fs.readFile(file, 'utf8')) * 1024,
  }
}

// Loaded into the measured process: at its end it writes down the most memory that it ever held, in KiB.
const writePeak = `data:text/javascript,${encodeURIComponent(
  `import fs from 'node:fs'; process.on('exit', () =>
     fs.writeFileSync(process.env.PEAK_FILE, String(process.resourceUsage().maxRSS)))`,
)}`
