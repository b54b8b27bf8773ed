import cliProgress, { type SingleBar } from 'cli-progress'
import type { BlobEvent } from '../remotes/progress.ts'
import { formatBytes, printableLine } from './output.ts'
import { blobName, lineOf, type MaybeTerminal, type Progress } from './progress-lines.ts'

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
  const move = (event: BlobEvent): void => {
    active = true
    const payload = { name: blobName(event), have: formatBytes(event.offset), all: formatBytes(event.total) }
    const bar = shown.get(event.ref)
    if (bar === undefined) shown.set(event.ref, bars.create(event.total, event.offset, payload))
    else bar.update(event.offset, payload)
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
      if (event.type === 'downloading') return move(event)
      if (event.type === 'complete' || event.type === 'exists') {
        log(lineOf(event))
        const bar = shown.get(event.ref)
        if (bar !== undefined) bars.remove(bar)
        shown.delete(event.ref)
        return
      }
      log(lineOf(event))
    },
    end: () => {
      process.off('exit', end)
      end()
    },
  }
}
