import { inspect } from 'node:util'
import { isOrlopError } from '../errors.ts'
import type { GlobalOptions } from './context.ts'

/** One line for a failure, as text or (with `--json`) as a JSON object; with `--debug` the causes below it. */
export function describeError(
  error: unknown,
  { json, debug }: Pick<GlobalOptions, 'json' | 'debug'>,
): string {
  const message = messageOf(error)
  const code = isOrlopError(error) ? error.code : 'UNKNOWN'
  const line = json ? JSON.stringify({ error: { code, message } }) : `orlop: ${message}`
  return debug ? `${line}\n${inspect(error, { depth: 6 })}` : line
}

const messageOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.replace(/\s*\n\s*/g, '; ')
}
