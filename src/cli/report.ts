import { inspect } from 'node:util'
import { isOrlopError } from '../errors.ts'
import type { GlobalOptions } from './context.ts'
import { printableLine, toJson } from './output.ts'

/** One line for a failure, as text or (with `--json`) as a JSON object; with `--debug` the causes below it. */
export function describeError(
  error: unknown,
  { json, debug }: Pick<GlobalOptions, 'json' | 'debug'>,
): string {
  const message = messageOf(error)
  const code = codeOf(error)
  const line = json ? toJson({ error: { code, message } }) : `orlop: ${printableLine(message)}`
  return debug ? `${line}\n${inspect(error, { depth: 6 })}` : line
}

const codeOf = (error: unknown): string => {
  if (isOrlopError(error)) return error.code
  return error instanceof Error && error.name === 'AbortError' ? 'CANCELED' : 'UNKNOWN'
}

const messageOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.replace(/\s*\n\s*/g, '; ')
}
