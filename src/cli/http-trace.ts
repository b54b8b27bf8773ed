import { subscribe } from 'node:diagnostics_channel'
import type { Writable } from 'node:stream'
import type { Command } from 'commander'
import type { HttpTrace } from '../remotes/registry/http-trace.ts'
import { printable, toJson } from './output.ts'
import { stderr } from './stderr.ts'

/** Adds `--http-trace`, which prints what goes to registries and comes back. */
export const addHttpTrace = (command: Command): Command =>
  command
    .option('--http-trace', 'print every request and response on stderr, without secrets')
    .hook('preAction', (_, action) => {
      const { httpTrace, json } = action.optsWithGlobals<{ httpTrace?: boolean; json?: boolean }>()
      if (httpTrace) printTraces(stderr(), json ?? false)
    })

/** Prints traces until the process ends: as lines that start with `>` and `<`, or each as a JSON object. */
export function printTraces(stream: Writable, json: boolean): void {
  subscribe('orlop:http', message => {
    const trace = message as HttpTrace // the channel's only type
    stream.write(json ? `${toJson({ http: trace })}\n` : printable(linesOf(trace)))
  })
}

function linesOf(trace: HttpTrace): string {
  const mark = trace.type === 'request' ? '>' : '<'
  return [first(trace), ...rest(trace)].map(line => `${mark} ${trace.id} ${line}\n`).join('')
}

function first(trace: HttpTrace): string {
  switch (trace.type) {
    case 'request':
      return `${trace.method} ${trace.url}`
    case 'response':
      return `${trace.status} after ${trace.milliseconds} ms`
    case 'body':
      return `(${trace.bytes} bytes, after ${trace.milliseconds} ms)`
    case 'failure':
      return `failed after ${trace.milliseconds} ms: ${trace.message}`
  }
}

function rest(trace: HttpTrace): readonly string[] {
  const headers = 'headers' in trace ? Object.entries(trace.headers) : []
  const body = trace.type === 'request' ? trace.body : trace.type === 'body' ? trace.text : undefined
  return [...headers.map(([name, value]) => `${name}: ${value}`), ...(body === undefined ? [] : [body])].map(
    oneLine,
  )
}

/** What a server sends must not look like a line of ours. */
const oneLine = (text: string): string => text.replaceAll(/[\r\n]+/g, ' ')
