import type { Writable } from 'node:stream'
import { isConfig, isIndex, isLayer, isManifest } from '../oci/media-type.ts'
import type { BlobEvent, OnProgress, ProgressEvent } from '../remotes/progress.ts'
import { formatBytes, printableLine, toJson } from './output.ts'

/** Shows progress on a stream of its own, never among the data. */
export interface Progress {
  readonly onProgress: OnProgress
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
      if (
        event.type === 'downloading' &&
        now() - (shown.get(event.ref) ?? Number.NEGATIVE_INFINITY) < interval
      )
        return
      if ('ref' in event) shown.set(event.ref, now())
      stream.write(`${toJson(flat(event))}\n`)
    },
    end: () => undefined,
  }
}

const flat = (event: ProgressEvent): unknown => {
  if (!('target' in event)) return event
  const { target, ...rest } = event
  return { ...rest, digest: target.digest, mediaType: target.mediaType, size: target.size }
}

/** One line when something begins or ends. */
export function plainLines(stream: Writable): Progress {
  const begun = new Set<string>()
  return {
    onProgress: event => {
      if (event.type === 'downloading' && begun.has(event.ref)) return
      if (event.type === 'downloading') begun.add(event.ref)
      const line = lineOf(event)
      if (line !== undefined) stream.write(`${printableLine(line)}\n`)
    },
    end: () => undefined,
  }
}

/** An event in words; `undefined` for one that is not worth a line. */
export function lineOf(event: ProgressEvent): string | undefined {
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
    case 'downloading':
      return `${blobName(event)}: downloading ${formatBytes(event.total)}${
        event.reused > 0 ? `, going on at ${formatBytes(event.reused)}` : ''
      }`
    case 'complete':
      return `${blobName(event)}: complete`
    case 'exists':
      return `${blobName(event)}: already here`
  }
}

/** `layer sha256:9ad63333ebc9`: short enough for a line, long enough to find. */
export const blobName = ({ target }: BlobEvent): string => `${kindOf(target)} ${target.digest.slice(0, 19)}`

const kindOf = (target: BlobEvent['target']): string => {
  if (isIndex(target)) return 'index'
  if (isManifest(target)) return 'manifest'
  if (isConfig(target)) return 'config'
  return isLayer(target) ? 'layer' : 'blob'
}
