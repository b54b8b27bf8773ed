import type { Writable } from 'node:stream'
import { blobName, fileName, keyOf, movingOf, type ShownEvent } from './moving.ts'
import { formatBytes, printableLine, toJson } from './output.ts'

/** Shows progress on a stream of its own, never among the data. */
export interface Progress {
  /** Must not throw. */
  readonly onProgress: (event: ShownEvent) => void
  /** Takes away what moves; call it before anything else is written. */
  end(): void
}

/** A stream that may be a terminal. */
export type MaybeTerminal = Writable & { readonly isTTY?: boolean }

/** How often one blob may report its bytes, in milliseconds. */
const interval = 200

/** One JSON object a line; byte counts of a blob at most five times a second. */
export function jsonLines(stream: Writable, now: () => number = Date.now): Progress {
  const shown = new Map<string, number>()
  return {
    onProgress: event => {
      const key = keyOf(event)
      const last = key === undefined ? undefined : shown.get(key)
      if (movingOf(event) && now() - (last ?? Number.NEGATIVE_INFINITY) < interval) return
      if (key !== undefined) shown.set(key, now())
      stream.write(`${toJson(flat(event))}\n`)
    },
    end: () => undefined,
  }
}

const flat = (event: ShownEvent): unknown => {
  if (!('target' in event)) return event
  const { target, ...rest } = event
  return { ...rest, digest: target.digest, mediaType: target.mediaType, size: target.size }
}

/** One line when something begins or ends. */
export function plainLines(stream: Writable): Progress {
  const begun = new Set<string>()
  return {
    onProgress: event => {
      const moving = movingOf(event)
      if (moving && begun.has(moving.key)) return
      if (moving) begun.add(moving.key)
      const line = lineOf(event)
      if (line !== undefined) stream.write(`${printableLine(line)}\n`)
    },
    end: () => undefined,
  }
}

/** Bytes of a file whose beginning is worth a line. */
const worthALine = 1024 * 1024

/** An event in words; `undefined` for one that is not worth a line. */
export function lineOf(event: ShownEvent): string | undefined {
  switch (event.type) {
    case 'resolving':
      return `resolving ${event.reference}`
    case 'resolved':
      return `resolved ${event.reference} to ${event.target.digest}`
    case 'retry':
      return `${event.what}: ${event.reason}; trying again in ${(event.delayMs / 1000).toFixed(1)} s`
    case 'throttled':
      return `waiting ${Math.ceil(event.delayMs / 1000)} s for ${event.host}`
    case 'waiting':
      return undefined
    case 'storing':
    case 'writing':
      // Small files come by the hundred.
      return event.size < worthALine
        ? undefined
        : `${fileName(event)}: ${event.type} ${formatBytes(event.size)}`
    case 'stored':
    case 'written':
      return `${fileName(event)}: ${event.type}`
    case 'present':
      return `${fileName(event)}: already here`
    case 'downloading':
    case 'uploading':
      return `${blobName(event)}: ${event.type} ${formatBytes(event.total)}${
        event.reused > 0 ? `, going on at ${formatBytes(event.reused)}` : ''
      }`
    case 'complete':
      return `${blobName(event)}: complete`
    case 'exists':
      return `${blobName(event)}: ${event.from === undefined ? 'there already' : `mounted from ${event.from}`}`
  }
}
