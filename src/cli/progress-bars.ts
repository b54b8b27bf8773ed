import cliProgress, { type SingleBar } from 'cli-progress'
import { isDone, keyOf, type Moving, movingOf } from './moving.ts'
import { formatBytes, printableLine } from './output.ts'
import { lineOf, type MaybeTerminal, type Progress } from './progress-lines.ts'

/** A bar for each blob under way; what is done scrolls up as a line. */
export function progressBars(stream: MaybeTerminal): Progress {
  const bars = new cliProgress.MultiBar(
    {
      // The types want a file; any stream will do.
      stream: stream as NodeJS.WriteStream,
      format: '{name} [{bar}] {percentage}% {have}/{all}',
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      fps: 10,
    },
    cliProgress.Presets.shades_classic,
  )
  const shown = new Map<string, SingleBar>()
  let active = false
  // While nothing moves there is nobody who would write it.
  const log = (text: string | undefined): void => {
    if (text === undefined) return
    if (active) bars.log(`${printableLine(text)}\n`)
    else stream.write(`${printableLine(text)}\n`)
  }
  const move = ({ key, name, offset, total }: Moving): void => {
    active = true
    const payload = { name, have: formatBytes(offset), all: formatBytes(total) }
    const bar = shown.get(key)
    if (bar === undefined) shown.set(key, bars.create(total, offset, payload))
    else bar.update(offset, payload)
  }
  const end = (): void => {
    if (!active) return
    active = false
    // Writes what is still to be logged.
    bars.update()
    bars.stop()
  }
  // A second Ctrl-C ends the process: the cursor must come back.
  process.once('exit', end)
  return {
    onProgress: event => {
      const moving = movingOf(event)
      if (moving) return move(moving)
      log(lineOf(event))
      const key = isDone(event) ? keyOf(event) : undefined
      const bar = key === undefined ? undefined : shown.get(key)
      if (key === undefined || bar === undefined) return
      bars.remove(bar)
      shown.delete(key)
    },
    end: () => {
      process.off('exit', end)
      end()
    },
  }
}
