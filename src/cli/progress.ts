import type { MaybeTerminal, Progress } from './progress-lines.ts'
import { jsonLines, plainLines } from './progress-lines.ts'
import { stderr } from './stderr.ts'

/** How progress is shown: `auto` is bars on a terminal and lines elsewhere. */
export type ProgressMode = 'auto' | 'tty' | 'plain' | 'json' | 'none'

/** The display that `mode` names, on `stream`. `quiet` is `none`, unless a mode was asked for. */
export async function createProgress(
  mode: ProgressMode,
  quiet: boolean,
  stream: MaybeTerminal,
): Promise<Progress> {
  if (mode === 'json') return jsonLines(stream)
  if (mode === 'none' || (quiet && mode === 'auto'))
    return { onProgress: () => undefined, end: () => undefined }
  const bars = mode === 'tty' || (mode === 'auto' && stream.isTTY === true && !process.env.CI)
  return bars ? (await import('./progress-bars.ts')).progressBars(stream) : plainLines(stream)
}

/** The options that choose a display. */
export interface ProgressOptions {
  readonly progress?: ProgressMode
  readonly quiet?: boolean
  readonly debug?: boolean
}

/** The display that the options ask for, on stderr. With `--debug` no bars unless asked for: its lines would tear them. */
export const progressFor = (
  { progress = 'auto', quiet = false, debug = false }: ProgressOptions,
  stream: MaybeTerminal = stderr(),
): Promise<Progress> =>
  createProgress(debug && !quiet && progress === 'auto' ? 'plain' : progress, quiet, stream)
